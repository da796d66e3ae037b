"""Sends callers to sites: the nearest that is well, has room, and may have what they send."""
