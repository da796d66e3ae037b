"""Files as they are."""
