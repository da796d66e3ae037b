"""Bundles: an endpoint in a folder, for a place without a network."""
