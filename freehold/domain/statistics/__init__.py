"""Figures with their uncertainty. Import the module that holds what you need.

`estimate` and `figures` need no numpy, so that evidence can be read without it.
"""
