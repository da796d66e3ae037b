"""Contracts of the project, held against what its steps make."""
