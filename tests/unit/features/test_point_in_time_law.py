"""The future does not matter, and the fast computation agrees with a slow and obvious one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain.feature_view import (
    Entity,
    FeatureView,
    FromRow,
    Latest,
    Lookup,
    RateOver,
    Source,
    YearsSince,
)
from freehold.features.point_in_time import point_in_time

START = datetime(2013, 12, 31, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = pl.Datetime("us", "UTC")

weather = Source("weather", keys=("place",), event_time="seen", known_at="known")
planes = Source("planes", keys=("tail",), known_at="known")
makers = Source("makers", keys=("tail",))
VIEW = FeatureView(
    name="all",
    entity=Entity("plane", key="tail"),
    asked_at="asked",
    features={
        "size": FromRow("raw"),
        "seats": Lookup(planes, on="tail", column="seats"),
        "maker": Lookup(makers, on="tail", column="maker"),
        "age": YearsSince(Lookup(planes, on="tail", column="built")),
        "before": Latest(weather, by="place", column="temp"),
        "by_then": Latest(weather, by="place", column="temp", strictly_before=False),
        "fresh": Latest(weather, by="place", column="temp", time_to_live="3h"),
        "wet": RateOver(weather, by="place", column="rain", window="4h"),
        "sum": RateOver(weather, by="place", column="count", window="90m"),
    },
)

hours = st.integers(0, 9).map(lambda h: START + h * HOUR / 2)
places = st.sampled_from(["a", "b", None])
tails = st.sampled_from(["n1", "n2", "n3", None])
WEATHER = {
    "place": pl.String,
    "seen": INSTANT,
    "known": INSTANT,
    "temp": pl.Float64,
    "rain": pl.Boolean,
    "count": pl.Int64,
}
PLANES = {"tail": pl.String, "known": INSTANT, "seats": pl.Int64, "built": pl.Int64}
SPINE = {"asked": INSTANT, "place": pl.String, "tail": pl.String, "raw": pl.Int64}
weather_rows = st.lists(
    st.tuples(
        places,
        st.none() | hours,
        st.none() | hours,
        st.none() | st.integers(0, 5).map(float),
        st.none() | st.booleans(),
        st.none() | st.integers(-5, 5),
    ),
    max_size=12,
)
plane_rows = st.lists(
    st.tuples(tails, st.none() | hours, st.integers(1, 9), st.none() | st.integers(1990, 2013)),
    max_size=6,
)
spine_rows = st.lists(st.tuples(hours, places, tails, st.integers(0, 9)), max_size=8)


def frame(rows: list[tuple[Any, ...]], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def features(
    spine: list[tuple[Any, ...]], weather: list[tuple[Any, ...]], planes: list[tuple[Any, ...]]
) -> pl.DataFrame:
    makers = pl.DataFrame({"tail": ["n1", "n2"], "maker": ["x", "y"]})
    tables = {"weather": frame(weather, WEATHER), "planes": frame(planes, PLANES), "makers": makers}
    return point_in_time(VIEW, frame(spine, SPINE), tables)


def known_planes(question: dict[str, Any], planes: pl.DataFrame) -> dict[str, Any] | None:
    found = [
        (row["known"], place, row)
        for place, row in enumerate(planes.to_dicts())
        if row["tail"] is not None
        and row["tail"] == question["tail"]
        and row["known"] is not None
        and row["known"] <= question["asked"]
    ]
    return max(found, key=lambda item: item[:2])[2] if found else None


def naive_latest(question: dict[str, Any], rows: list[dict[str, Any]], strict: bool) -> Any:
    best = None
    for place, row in enumerate(rows):
        if row["seen"] is None or row["known"] > question["asked"]:
            continue
        if row["seen"] > question["asked"] or (strict and row["seen"] == question["asked"]):
            continue
        rank = (row["seen"], row["known"], place)
        if best is None or rank > best[0]:
            best = (rank, row)
    return best and best[1]


def naive_rate(
    question: dict[str, Any], rows: list[dict[str, Any]], column: str, window: Any
) -> Any:
    values = [
        int(row[column])
        for row in rows
        if question["asked"] - window < row["known"] <= question["asked"]
        and row[column] is not None
    ]
    return sum(values) / len(values) if values else None


def naive(question: dict[str, Any], weather: pl.DataFrame, planes: pl.DataFrame) -> dict[str, Any]:
    plane = known_planes(question, planes) or {}
    here = [
        row
        for row in weather.to_dicts()
        if row["place"] is not None
        and row["place"] == question["place"]
        and row["known"] is not None
    ]
    before = naive_latest(question, here, strict=True)
    by_then = naive_latest(question, here, strict=False)
    old = before and before["seen"] < question["asked"] - 3 * HOUR
    built = plane.get("built")
    return {
        "size": question["raw"],
        "seats": plane.get("seats"),
        "maker": {"n1": "x", "n2": "y"}.get(question["tail"]),
        "age": None if built is None else question["asked"].year - built,
        "before": before and before["temp"],
        "by_then": by_then and by_then["temp"],
        "fresh": None if old else before and before["temp"],
        "wet": naive_rate(question, here, "rain", 4 * HOUR),
        "sum": naive_rate(question, here, "count", 1.5 * HOUR),
    }


@given(spine_rows, weather_rows, plane_rows)
@settings(max_examples=150, deadline=None)
def test_agrees_with_one_question_at_a_time(spine: Any, weather: Any, planes: Any) -> None:
    made = features(spine, weather, planes)
    assert made.select(list(SPINE)).rows() == spine
    slow = [
        naive(question, frame(weather, WEATHER), frame(planes, PLANES))
        for question in frame(spine, SPINE).to_dicts()
    ]
    assert made.select(VIEW.names).to_dicts() == slow


@given(spine_rows, weather_rows, plane_rows, hours, st.data())
@settings(max_examples=150, deadline=None)
def test_the_future_does_not_matter(
    spine: Any, weather: Any, planes: Any, now: datetime, data: st.DataObject
) -> None:
    """Rows known after `now` are changed, dropped and added; questions up to `now` keep theirs."""

    def later(row: tuple[Any, ...], place: int) -> bool:
        return row[place] is None or row[place] > now

    def rewritten(rows: Any, others: Any, place: int) -> Any:
        future = [row for row in data.draw(others) if later(row, place)]
        kept = [row for row in rows if not later(row, place)]
        for row in future:
            kept.insert(data.draw(st.integers(0, len(kept))), row)
        return kept

    asked = pl.col("asked") <= now
    once = features(spine, weather, planes).filter(asked)
    again = features(
        rewritten(spine, spine_rows, 0),
        rewritten(weather, weather_rows, 2),
        rewritten(planes, plane_rows, 1),
    ).filter(asked)
    assert once.rows() == again.rows()
