"""A view that does not fit its tables is refused, with every fault at once."""

from datetime import UTC, datetime

import polars as pl
import pytest

from freehold.domain.errors import ProjectInvalid
from freehold.domain.feature_view import (
    Entity,
    FeatureView,
    FromRow,
    Latest,
    Lookup,
    RateOver,
    Source,
    YearsSince,
    microseconds_of,
)
from freehold.features.point_in_time import point_in_time

WEATHER = Source("weather", keys=("place",), event_time="seen", known_at="known")
PLANES = Source("planes", keys=("tail",))
FLIGHT = Entity("flight", key="raw")
NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def spine() -> pl.DataFrame:
    return pl.DataFrame(
        {"asked": [NOON], "place": ["a"], "tail": ["n1"], "raw": [1]},
        schema_overrides={"asked": pl.Datetime("us", "UTC")},
    )


@pytest.fixture
def tables() -> dict[str, pl.DataFrame]:
    instant = pl.Datetime("us", "UTC")
    return {
        "weather": pl.DataFrame(
            {"place": ["a"], "seen": [NOON], "known": [NOON], "temp": [1.5], "rain": [True]},
            schema_overrides={"seen": instant, "known": instant},
        ),
        "planes": pl.DataFrame({"tail": ["n1", "n1"], "built": ["new", "old"]}),
    }


def codes(view: FeatureView, spine: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> list[str]:
    with pytest.raises(ProjectInvalid) as caught:
        point_in_time(view, spine, tables)
    assert caught.value.code == "features.invalid"
    return sorted(fault.code for fault in caught.value.faults)


def view(**features: object) -> FeatureView:
    return FeatureView("v", FLIGHT, "asked", features)  # type: ignore[arg-type]


def test_every_fault_of_the_features_is_told(
    spine: pl.DataFrame, tables: dict[str, pl.DataFrame]
) -> None:
    faulty = view(
        a=FromRow("nowhere"),
        raw=FromRow("tail"),
        place=Latest(WEATHER, by="place", column="temp"),
        b=Latest(WEATHER, by="place", column="wind"),
        c=Latest(WEATHER, by="tail", column="temp"),
        d=RateOver(WEATHER, by="place", column="temp"),
        e=RateOver(WEATHER, by="place", column="rain", window="soon"),
        f=YearsSince(Lookup(PLANES, on="tail", column="built")),
        g=Latest(PLANES, by="tail", column="built"),
        h=RateOver(PLANES, by="tail", column="built"),
    )
    assert codes(faulty, spine, tables) == [
        "features.key-not-unique",
        "features.length",
        "features.taken",
        "features.taken",
        "features.time",
        "features.time",
        "features.type",
        "features.type",
        "features.type",
        "features.unknown-column",
        "features.unknown-column",
        "features.unknown-key",
    ]


def test_faults_of_sources(spine: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    temp = view(t=Latest(WEATHER, by="place", column="temp"))
    assert codes(temp, spine, {}) == ["features.unknown-source"]
    naive = tables["weather"].with_columns(pl.col("seen").dt.replace_time_zone(None))
    assert codes(temp, spine, {"weather": naive}) == ["features.type"]
    keyless = tables["weather"].drop("place")
    assert codes(temp, spine, {"weather": keyless}) == ["features.unknown-column"]
    numbered = tables["weather"].with_columns(place=1)
    assert codes(temp, spine, {"weather": numbered}) == ["features.type"]


def test_faults_of_the_spine(spine: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    raw = view(raw=FromRow("raw"))
    assert codes(raw, spine.drop("asked"), tables) == ["features.unknown-column"]
    timeless = spine.with_columns(asked=pl.lit(None, dtype=pl.Datetime("us", "UTC")))
    assert codes(raw, timeless, tables) == ["features.null-time"]
    temp = view(t=Latest(WEATHER, by="place", column="temp"))
    assert codes(temp, spine.drop("place"), tables) == ["features.unknown-column"]
    assert codes(temp, spine.drop("raw"), tables) == ["features.unknown-column"]


def test_a_feature_under_its_own_name_is_not_repeated(spine: pl.DataFrame) -> None:
    assert point_in_time(view(raw=FromRow("raw")), spine, {}).columns == spine.columns


def test_lengths_of_time() -> None:
    assert microseconds_of("90m") == 5_400_000_000
    assert microseconds_of("24h") == microseconds_of("1d") == 86_400_000_000
    for wrong in ("", "0h", "24", "h", "-1d", "1.5h", "24H"):
        with pytest.raises(ProjectInvalid, match="no length of time"):
            microseconds_of(wrong)


def test_sources_are_named_once() -> None:
    seen = view(
        a=Latest(WEATHER, by="place", column="temp"),
        b=RateOver(WEATHER, by="place", column="rain"),
        c=YearsSince(Lookup(PLANES, on="tail", column="built")),
        d=FromRow("raw"),
    )
    assert seen.sources == (WEATHER, PLANES)
    assert seen.names == ("a", "b", "c", "d")
