"""The history: verified, exported."""
