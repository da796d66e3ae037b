"""Versions into traffic, and out of it."""
