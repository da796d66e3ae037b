"""Keys in a file."""
