"""Everything in this process; forgets when it ends."""
