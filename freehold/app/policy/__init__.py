"""The project's policies: read, checked, tested, asked."""
