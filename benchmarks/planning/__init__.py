"""How long a placement takes to find, how near the best it is, and what it saves."""
