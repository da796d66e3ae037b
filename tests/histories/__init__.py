"""Random histories of three sites, of facts of every type that a projection folds."""
