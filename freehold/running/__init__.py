"""Advance a run, one observed fact at a time; caching; retries; recovery."""
