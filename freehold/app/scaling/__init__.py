"""How many replicas an endpoint should have, and what says so to a cluster."""
