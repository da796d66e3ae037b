"""Locks on files of one machine, released by the kernel when their holder dies."""
