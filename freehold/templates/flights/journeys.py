"""What is asked about each flight, and the answer once it has landed.

Asked: at the scheduled departure hour, will it arrive more than 15 minutes late? The answer is
known at landing. `time_hour` is that hour in UTC (checked on every row: it agrees with the local
columns, summer time included), so a flight at 17:45 is asked about at 17:00.
"""

import polars as pl

from freehold import step

LATE_AFTER_MINUTES = 15

ZONES_NOT_IN_THE_TABLE = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}


@step
def journeys(flights: pl.DataFrame, airports: pl.DataFrame) -> pl.DataFrame:
    """One row per flight, in order of asking: what identifies it, what was on the timetable,
    and `late` and `landed_at`, null where no label ever comes."""
    labelled = pl.col("arr_delay").is_not_null()
    return (
        flights.with_columns(landed_at=_landed_at(flights, airports))
        .select(
            flight_id=pl.format(
                "{}{}-{}-{}",
                "carrier",
                "flight",
                "origin",
                pl.col("time_hour").dt.strftime("%Y%m%dT%H"),
            ),
            asked_at="time_hour",
            carrier="carrier",
            origin="origin",
            destination="dest",
            tailnum="tailnum",
            hour="hour",
            weekday=pl.date("year", "month", "day").dt.weekday(),
            distance="distance",
            dep_delay="dep_delay",
            cancelled=pl.col("dep_time").is_null(),
            late=pl.col("arr_delay") > LATE_AFTER_MINUTES,
            landed_at=pl.when(labelled).then("landed_at"),
        )
        .sort("asked_at", "flight_id")
    )


def _landed_at(flights: pl.DataFrame, airports: pl.DataFrame) -> pl.Series:
    """`arr_time` on the destination's clock, the first time that it shows after departure.

    The table has the time of landing but no date. Departure is exact (schedule plus `dep_delay`,
    which runs over days), and the longest flight takes 12 hours, so the first matching minute
    after departure is the landing, past midnight or not. On all 327,346 labelled flights it is
    also the scheduled arrival, read in the same way, plus `arr_delay`: a test checks that.
    """
    zones = dict(airports.select("faa", "tzone").iter_rows()) | ZONES_NOT_IN_THE_TABLE
    times = flights.select(
        "arr_time",
        zone=pl.col("dest").replace_strict(zones, default=None),
        departed=pl.col("time_hour") + pl.duration(minutes=pl.col("minute") + pl.col("dep_delay")),
    ).with_row_index("row")
    parts = [_in_zone(part, zone) for (zone,), part in times.group_by("zone") if zone is not None]
    landed = pl.concat(parts) if parts else times.select("row", landed_at="departed").clear()
    return times.join(landed, on="row", how="left", maintain_order="left")["landed_at"]


def _in_zone(times: pl.DataFrame, zone: str) -> pl.DataFrame:
    clock = pl.col("departed").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    # 2400 is midnight at the day's end, the same minute as 0.
    minutes = pl.col("arr_time") // 100 % 24 * 60 + pl.col("arr_time") % 100
    today = clock.dt.truncate("1d") + pl.duration(minutes=minutes)
    shown = pl.when(today <= clock).then(today + pl.duration(days=1)).otherwise(today)
    instant = shown.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    # An hour that summer time skipped was read off a clock that nobody had put forward yet:
    # one flight, on 10 March.
    unchanged = pl.col("departed") + (shown - clock)
    return times.select(
        "row", landed_at=pl.coalesce(instant.dt.convert_time_zone("UTC"), unchanged)
    )
