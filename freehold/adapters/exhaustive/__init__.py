"""Every choice, one after the other."""
