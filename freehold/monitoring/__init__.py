"""Measurements into signals: drift, quality, proposals."""
