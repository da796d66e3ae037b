"""How fast one endpoint answers, with everything switched on, beside what bounds it."""
