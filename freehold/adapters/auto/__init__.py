"""The runtime that a package itself asks for."""
