"""How often a release with nothing wrong goes back, and how soon one with something wrong does."""
