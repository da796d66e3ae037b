"""A first pipeline: read a table, make another of it, sum it up.

A step is a plain function with types. Its outputs are kept by content: run it twice, and the
second time only what changed is computed.
"""

from pathlib import Path

import polars as pl

from freehold import pipeline, step

DATA = Path(__file__).parent / "data"


@step(cache=False)
def readings() -> pl.DataFrame:
    """Not cached: a change of the file is no change of the code, and would go unseen. What comes
    after is cached by this table's content."""
    return pl.read_csv(DATA / "readings.csv", try_parse_dates=True)


@step
def daily(readings: pl.DataFrame) -> pl.DataFrame:
    """A row per day and room."""
    return (
        readings.group_by(pl.col("at").dt.date().alias("day"), "room")
        .agg(pl.col("celsius").mean().round(3), pl.len().alias("readings"))
        .sort("day", "room")
    )


@step
def extremes(daily: pl.DataFrame) -> dict[str, float | int]:
    """The days in three numbers. A dictionary is stored as JSON."""
    celsius = daily["celsius"].to_list()
    return {"days": daily["day"].n_unique(), "coldest": min(celsius), "warmest": max(celsius)}


@pipeline
def summary() -> dict[str, float | int]:
    """Calls steps and passes their results on; the work is done when it is run."""
    return extremes(daily(readings()))
