"""Polars tables as Parquet."""
