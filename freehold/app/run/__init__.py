"""Runs of pipelines: planned, executed, resumed, listed."""
