"""The template's own modules and the real tables, read once."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

import freehold

TEMPLATE = Path(freehold.__file__).parent / "templates" / "flights"
MODULES = ("tables", "journeys", "views", "periods", "training", "replay")


@pytest.fixture(scope="session")
def template() -> Path:
    return TEMPLATE


@pytest.fixture(scope="session")
def flights() -> Iterator[SimpleNamespace]:
    """Module by name; forgotten by the interpreter at once, so that other projects may have
    modules of the same names."""
    shadowed = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.path.insert(0, str(TEMPLATE))
    try:
        loaded = SimpleNamespace(**{name: import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(TEMPLATE))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(shadowed)
    yield loaded


@pytest.fixture(scope="session")
def raw(flights: SimpleNamespace) -> dict[str, pl.DataFrame]:
    return {
        "flights": flights.tables.flights_table(),
        "weather": flights.tables.weather_table(),
        "planes": flights.tables.planes_table(),
        "airports": flights.tables.airports_table(),
    }


@pytest.fixture(scope="session")
def asked(flights: SimpleNamespace, raw: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return flights.journeys.journeys(raw["flights"], raw["airports"])


@pytest.fixture(scope="session")
def features(
    flights: SimpleNamespace, raw: dict[str, pl.DataFrame], asked: pl.DataFrame
) -> pl.DataFrame:
    return flights.views.features(asked, raw["weather"], raw["planes"])
