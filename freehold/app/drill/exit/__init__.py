"""The exit drill: everything written in open formats, and read back without Freehold."""
