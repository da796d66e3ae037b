"""A site's own things: its ledger, key, objects and locks, opened together."""
