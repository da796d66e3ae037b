"""How much of the accelerators that were paid for was used, so far as anybody knows."""

import polars as pl


def accelerator_use(rows: pl.LazyFrame) -> pl.DataFrame:
    """Columns `site`, `machine`, `hours` (of one accelerator), `known_hours`, and `use`: the mean
    share in the hours of which it is known; null where it is of none. Rows are metered ones, of
    steps and endpoints."""
    hours = pl.col("ConsumedQuantity") * pl.col("x_Accelerators")
    known = pl.when(pl.col("x_AcceleratorUse").is_not_null()).then(hours).otherwise(0.0)
    used = hours * pl.col("x_AcceleratorUse")
    return (
        rows.filter((pl.col("x_Accelerators") > 0) & (pl.col("ConsumedUnit") == "Hours"))
        .group_by(pl.col("x_Site").alias("site"), pl.col("SkuId").alias("machine"))
        .agg(
            hours.sum().alias("hours"),
            known.sum().alias("known_hours"),
            pl.when(known.sum() > 0).then(used.sum() / known.sum()).alias("use"),
        )
        .sort("site", "machine")
        .collect()
    )
