"""pandas tables as Parquet."""
