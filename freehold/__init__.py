"""Freehold: the whole life of a model, on any mix of places, from one project definition."""
