"""Arrow tables as Parquet."""
