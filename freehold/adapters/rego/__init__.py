"""Rego policies, evaluated in this process."""
