"""Drills: each does the thing it is to prove, and leaves production as it was."""
