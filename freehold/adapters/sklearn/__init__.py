"""Classifiers of scikit-learn."""
