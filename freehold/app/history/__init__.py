"""Questions to the history: why something is as it is."""
