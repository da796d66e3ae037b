"""Definitions and point-in-time reads."""
