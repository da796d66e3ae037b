"""The flights that follow, as traffic: each is asked about, flies, and its label comes."""

from datetime import UTC, date, datetime, time

import polars as pl
from journeys import journeys
from tables import airports_table, flights_table, planes_table, weather_table
from views import features

from freehold import pipeline, step


@step
def requests(features: pl.DataFrame, since: date) -> pl.DataFrame:
    """A row per flight asked about from `since` (midnight, UTC), in order of asking.

    `dep_delay` is null, as it is for whoever asks before departure. `late` and `landed_at` are
    not for the model: they are the label and when it comes.
    """
    start = datetime.combine(since, time(), UTC)
    return (
        features.filter(pl.col("asked_at") >= start)
        .with_columns(dep_delay=pl.lit(None, dtype=features["dep_delay"].dtype))
        .drop("cancelled")
    )


@pipeline
def traffic(since: date = date(2013, 4, 1)) -> pl.DataFrame:
    asked = journeys(flights_table(), airports_table())
    return requests(features(asked, weather_table(), planes_table()), since)
