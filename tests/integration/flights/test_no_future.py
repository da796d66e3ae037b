"""Changing any row of the future leaves every feature unchanged, from the raw tables on."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

Tables = dict[str, pl.DataFrame]
TIMETABLE = ("carrier", "origin", "destination", "hour", "weekday", "distance", "tailnum")


def rebuilt(flights: SimpleNamespace, tables: Tables) -> pl.DataFrame:
    asked = flights.journeys.journeys(tables["flights"], tables["airports"])
    return flights.views.features(asked, tables["weather"], tables["planes"])


def known(flights: SimpleNamespace, table: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """All that may be known of the flights asked about up to `now`, when they were asked about."""
    names = dict.fromkeys(("flight_id", "asked_at", *TIMETABLE, *flights.views.flight_view().names))
    return table.filter(pl.col("asked_at") <= now).select(*names)


def changed_future(raw: Tables, landed_at: pl.Series, now: datetime, seed: int) -> Tables:
    """The tables as they might have become, had everything after `now` gone otherwise."""
    draw = np.random.default_rng(seed)
    rows = raw["flights"].with_columns(landed_at=landed_at, dice=draw.random(len(landed_at)))
    ahead = rows.filter(pl.col("time_hour") > now)
    # On their way, or waiting: the outcome may still be anything that is not known yet.
    open_end = pl.col("landed_at").is_null() | (pl.col("landed_at") > now)
    begun = rows.filter(pl.col("time_hour") <= now)
    waiting = begun.filter(open_end).with_columns(
        arr_delay=pl.when(pl.col("dice") < 0.5).then(60 - pl.col("arr_delay")),
        arr_time=pl.when(pl.col("dice") < 0.7).then("arr_time"),
        air_time=None,
    )
    shuffled = ahead.select(pl.col("carrier", "origin", "dest", "tailnum").shuffle(seed))
    other = ahead.with_columns(shuffled.get_columns()).with_columns(
        dep_delay=(pl.col("dice") * 500).cast(pl.Int64),
        arr_delay=(pl.col("dice") * 500 - 60).cast(pl.Int64),
        arr_time=pl.lit(1234, dtype=pl.Int64),
    )
    extra = other.with_columns(pl.col("flight") + 10_000).filter(pl.col("dice") < 0.3)
    flights = pl.concat(
        [begun.filter(~open_end), waiting, other.filter(pl.col("dice") > 0.4), extra],
        how="vertical_relaxed",
    )
    return raw | {
        "flights": flights.select(raw["flights"].columns).sample(
            fraction=1, shuffle=True, seed=seed
        ),
        "weather": changed_weather(raw["weather"], now, seed),
    }


def changed_weather(weather: pl.DataFrame, now: datetime, seed: int) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    later = weather.with_columns(dice=draw.random(weather.height)).filter(pl.col("time_hour") > now)
    stormy = later.with_columns(pl.col("temp") - 50, pl.col("wind_speed") * 3, visib=pl.lit(0.0))
    between = later.filter(pl.col("dice") < 0.2).with_columns(
        pl.col("time_hour") + timedelta(minutes=7), temp=pl.lit(451.0)
    )
    stays = weather.filter(pl.col("time_hour") <= now)
    kept = stormy.filter(pl.col("dice") > 0.3)
    return pl.concat([stays, kept.drop("dice"), between.drop("dice")])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_future_does_not_matter(
    flights: SimpleNamespace, raw: Tables, features: pl.DataFrame, seed: int
) -> None:
    check_future(flights, raw, features, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4, 24))
def test_many_futures_do_not_matter(
    flights: SimpleNamespace, raw: Tables, features: pl.DataFrame, seed: int
) -> None:
    check_future(flights, raw, features, seed)


def check_future(flights: SimpleNamespace, raw: Tables, features: pl.DataFrame, seed: int) -> None:
    hours = int(np.random.default_rng(seed).integers(24, 364 * 24))
    now = datetime(2013, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    landed_at = flights.journeys._landed_at(raw["flights"], raw["airports"])
    tables = changed_future(raw, landed_at, now, seed)
    again = rebuilt(flights, tables)
    once, then = known(flights, features, now), known(flights, again, now)
    assert once.height > 0
    assert then.equals(once)
    following = (pl.col("asked_at") > now) & (pl.col("asked_at") < now + timedelta(hours=24))
    assert not again.filter(following).equals(features.filter(following)), "nothing was changed"


def test_a_view_that_does_look_ahead_is_caught(flights: SimpleNamespace, raw: Tables) -> None:
    """The same change, with outcomes known at the scheduled hour: the features differ."""
    now = datetime(2013, 5, 1, 18, tzinfo=UTC)
    landed_at = flights.journeys._landed_at(raw["flights"], raw["airports"])

    def foreseen(tables: Tables) -> pl.DataFrame:
        asked = flights.journeys.journeys(tables["flights"], tables["airports"])
        clairvoyant = asked.with_columns(landed_at="asked_at")
        return flights.views.features(clairvoyant, tables["weather"], tables["planes"])

    once = known(flights, foreseen(raw), now)
    then = known(flights, foreseen(changed_future(raw, landed_at, now, 1)), now)
    assert not then.equals(once)


def slow_features(raw: Tables, asked: pl.DataFrame, question: dict[str, Any]) -> dict[str, Any]:
    """Some features of one flight, by going over the tables as a person would."""
    when = question["asked_at"]
    seen = raw["weather"].filter(
        (pl.col("origin") == question["origin"]) & (pl.col("time_hour") < when)
    )
    last = seen.sort("time_hour").tail(1).to_dicts()
    plane = raw["planes"].filter(pl.col("tailnum").eq_missing(question["tailnum"])).to_dicts()
    landed = asked.filter(
        (pl.col("landed_at") > when - timedelta(hours=24)) & (pl.col("landed_at") <= when)
    )
    built = plane[0]["year"] if plane else None
    return {
        "temperature": last[0]["temp"] if last else None,
        "wind_gust": last[0]["wind_gust"] if last else None,
        "plane_seats": plane[0]["seats"] if plane else None,
        "plane_age": None if built is None else when.year - built,
        **{
            f"late_rate_{by}": landed.filter(pl.col(by) == question[by])["late"].mean()
            for by in ("origin", "carrier")
        },
    }


def test_features_agree_with_going_over_the_tables(
    raw: Tables, asked: pl.DataFrame, features: pl.DataFrame
) -> None:
    for question in features.sample(40, seed=11).to_dicts():
        slow = slow_features(raw, asked, question)
        assert {name: question[name] for name in slow} == pytest.approx(slow, nan_ok=True)
