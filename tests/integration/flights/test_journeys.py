"""Every flight is there, and landed when the airline says it did."""

from datetime import date
from types import SimpleNamespace

import polars as pl
import pytest

Tables = dict[str, pl.DataFrame]


def test_every_flight_is_counted(raw: Tables, asked: pl.DataFrame) -> None:
    assert {name: table.height for name, table in raw.items()} == {
        "flights": 336_776,
        "weather": 26_115,
        "planes": 3_322,
        "airports": 1_458,
    }
    assert asked.height == asked["flight_id"].n_unique() == 336_776
    assert asked["cancelled"].sum() == 8_255
    assert asked.filter(~pl.col("cancelled"))["late"].null_count() == 1_175
    assert asked["late"].count() == asked["landed_at"].count() == 327_346
    assert asked.filter(pl.col("late").is_null())["landed_at"].count() == 0
    assert asked["asked_at"].is_sorted()


def test_the_hour_of_asking_is_the_local_hour_in_utc(raw: Tables) -> None:
    """Daylight saving included: the table's two ways of telling the hour agree on every row."""
    local = pl.col("time_hour").dt.convert_time_zone("America/New_York")
    table = raw["flights"].filter(
        (local.dt.hour() != pl.col("hour"))
        | (local.dt.date() != pl.date("year", "month", "day"))
        | (pl.col("sched_dep_time") != pl.col("hour") * 100 + pl.col("minute"))
    )
    assert table.height == 0


@pytest.mark.parametrize(
    ("flight_id", "landed_at", "why"),
    [
        ("UA1545-EWR-20130101T10", "2013-01-01T14:30", "8:30 in Houston"),
        ("MQ4660-LGA-20130123T02", "2013-01-23T06:00", "24:00 in Nashville"),
        ("DL2319-LGA-20130219T15", "2013-02-20T07:14", "1:14 in Minneapolis, 13 hours late"),
        ("MQ3695-EWR-20130110T21", "2013-01-11T18:39", "12:39 the next day in Chicago"),
        ("DL1091-JFK-20131202T00", "2013-12-02T16:10", "10:10 the next day in San Antonio"),
        ("HA51-JFK-20130101T14", "2013-01-02T01:16", "15:16 in Honolulu, the next day in UTC"),
        ("B6739-JFK-20130602T03", "2013-06-02T07:41", "3:41 in Ponce, which has no summer time"),
        ("UA1479-EWR-20130105T12", "2013-01-05T16:01", "12:01 on St. Thomas"),
        ("B6727-JFK-20130310T04", "2013-03-10T09:04", "5:04 in Aguadilla, clocks change at home"),
        (
            "B635-JFK-20130310T02",
            "2013-03-10T07:03",
            "2:03 in Palm Beach, an hour that was skipped",
        ),
        ("VX413-JFK-20131102T20", "2013-11-03T08:14", "the first 1:14 of two in Los Angeles"),
    ],
)
def test_named_flights_landed_when_the_clock_says(
    asked: pl.DataFrame, flight_id: str, landed_at: str, why: str
) -> None:
    found = asked.filter(pl.col("flight_id") == flight_id)["landed_at"].dt.strftime(
        "%Y-%m-%dT%H:%M"
    )
    assert found.to_list() == [landed_at], why


def test_landing_is_the_scheduled_arrival_plus_the_delay(
    flights: SimpleNamespace, raw: Tables
) -> None:
    """Two ways to the landing that share only the zone: by `arr_time` after the actual departure,
    and by `sched_arr_time` after the scheduled one, plus `arr_delay`."""
    table = raw["flights"]
    scheduled = table.with_columns(arr_time="sched_arr_time", dep_delay=pl.lit(0))
    landed_at = flights.journeys._landed_at
    compared = table.select(
        "arr_delay",
        "air_time",
        departed=pl.col("time_hour") + pl.duration(minutes=pl.col("minute") + pl.col("dep_delay")),
        landed=landed_at(table, raw["airports"]),
        by_schedule=landed_at(scheduled, raw["airports"]) + pl.duration(minutes=table["arr_delay"]),
    ).drop_nulls("arr_delay")
    assert compared.height == 327_346
    assert compared.filter(pl.col("landed") != pl.col("by_schedule")).height == 0
    on_the_ground = (pl.col("landed") - pl.col("departed")).dt.total_minutes() - pl.col("air_time")
    taxi = compared.select(least=on_the_ground.min(), most=on_the_ground.max()).row(0)
    assert taxi == (5, 235)


def test_what_is_left_out_is_accounted_for(
    flights: SimpleNamespace, features: pl.DataFrame
) -> None:
    account = flights.periods.left_out(features, date(2013, 4, 1), 90)
    assert account.pop("flights") == sum(account.values()) == 336_776
    training, evaluation = flights.periods.period(features, date(2013, 4, 1), 90, False, 7)
    assert account["taken"] == training.height + evaluation.height == 77_606
    whole = flights.periods.left_out(features, date(2014, 1, 3), 400)
    assert whole == {
        "flights": 336_776,
        "taken": 327_346,
        "cancelled": 8_255,
        "departed, no arrival delay recorded": 1_175,
    }


def test_traffic_has_what_can_be_asked_and_when_labels_come(
    flights: SimpleNamespace, features: pl.DataFrame
) -> None:
    traffic = flights.replay.requests(features, date(2013, 4, 1))
    assert traffic.height == 256_089
    assert traffic["flight_id"].n_unique() == traffic.height
    assert traffic["asked_at"].is_sorted()
    assert traffic["dep_delay"].null_count() == traffic.height
    assert traffic["late"].is_null().equals(traffic["landed_at"].is_null())
    assert traffic.filter(pl.col("landed_at") <= pl.col("asked_at")).height == 0
    assert set(flights.views.flight_view("dep_delay").names) <= set(traffic.columns)


def test_a_period_without_flights_is_an_error(
    flights: SimpleNamespace, features: pl.DataFrame
) -> None:
    with pytest.raises(ValueError, match="no labelled flights"):
        flights.periods.period(features, date(2012, 4, 1), 90, False, 7)
    with pytest.raises(ValueError, match="more than 14"):
        flights.periods.period(features, date(2013, 4, 1), 14, False, 7)
