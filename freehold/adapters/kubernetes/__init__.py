"""Scaling of what runs on Kubernetes."""
