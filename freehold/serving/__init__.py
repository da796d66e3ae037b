"""Routing and request decoding: pure decisions on the hot path."""
