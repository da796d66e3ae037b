"""The features of a flight: what could be known at its scheduled departure hour."""

import polars as pl

from freehold import FeatureView, point_in_time, step
from freehold.authoring.feature_view import (
    Entity,
    Feature,
    FromRow,
    Latest,
    Lookup,
    RateOver,
    Source,
    YearsSince,
)

WEATHER = Source("weather", keys=("origin",), event_time="time_hour")
PLANES = Source("planes", keys=("tailnum",))
LANDINGS = Source("landings", keys=("origin", "carrier"), known_at="landed_at")

OBSERVED = {
    "temperature": "temp",
    "dew_point": "dewp",
    "humidity": "humid",
    "wind_direction": "wind_dir",
    "wind_speed": "wind_speed",
    "wind_gust": "wind_gust",
    "precipitation": "precip",
    "pressure": "pressure",
    "visibility": "visib",
}

FEATURES: dict[str, Feature] = {
    "carrier": FromRow("carrier"),
    "origin": FromRow("origin"),
    "destination": FromRow("destination"),
    "hour": FromRow("hour"),
    "weekday": FromRow("weekday"),
    "distance": FromRow("distance"),
    "plane_age": YearsSince(Lookup(PLANES, on="tailnum", column="year")),
    "plane_seats": Lookup(PLANES, on="tailnum", column="seats"),
    **{name: Latest(WEATHER, by="origin", column=column) for name, column in OBSERVED.items()},
    "late_rate_origin": RateOver(LANDINGS, by="origin", column="late", window="24h"),
    "late_rate_carrier": RateOver(LANDINGS, by="carrier", column="late", window="24h"),
}


def flight_view(leak: str = "") -> FeatureView:
    """`leak` names a column that the view then claims to be known at the time of asking. With
    `dep_delay` that is a lie, as an honest mistake would tell it: see the README."""
    claimed = {leak: FromRow(leak)} if leak else {}
    return FeatureView(
        name="flight",
        entity=Entity("flight", key="flight_id"),
        asked_at="asked_at",
        features=FEATURES | claimed,
    )


@step
def features(journeys: pl.DataFrame, weather: pl.DataFrame, planes: pl.DataFrame) -> pl.DataFrame:
    """The journeys with their features, for the whole year at once.

    That is no look into the future: what is not known when a flight is asked about does not
    reach its row, so a slice of this table is what a computation on that day would have given.
    """
    tables = {"weather": weather, "planes": planes, "landings": journeys}
    known = point_in_time(flight_view(), journeys, tables)
    # A model takes every number as a float, and whoever loads its package elsewhere must send one.
    return known.with_columns(pl.selectors.integer().cast(pl.Float64))
