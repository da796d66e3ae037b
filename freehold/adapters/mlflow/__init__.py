"""Tracking in MLflow, by its own client."""
