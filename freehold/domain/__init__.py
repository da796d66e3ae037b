"""The nouns, frozen. No clock, no disk, no network."""
