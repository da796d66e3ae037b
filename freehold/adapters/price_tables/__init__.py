"""Prices, power and carbon from tables that are shipped: nothing is asked of a network."""
