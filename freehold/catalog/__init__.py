"""Datasets, snapshots, contracts, model versions, lineage."""
