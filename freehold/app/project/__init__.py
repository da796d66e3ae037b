"""A project: begin one, read it, check it."""
