"""Which versions keep their packages, and how long traffic is looked back on, case by case."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from freehold.catalog.retention.law import DAY, Circumstances
from freehold.catalog.retention.models import kept_versions
from freehold.catalog.retention.references import standings
from freehold.catalog.retention.traffic import log_parts, looked_back
from freehold.domain.project import RetentionSpec


class Rows:
    """A state with these rows, by table and key."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self._rows = rows

    def get(self, table: str, key: str) -> Any | None:
        return self._rows.get(table, {}).get(key)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        return (
            (key, row)
            for key, row in sorted(self._rows.get(table, {}).items())
            if key.startswith(prefix)
        )


def release(order: int, version: int, previous: int | None, status: str, *sites: str) -> Any:
    return {
        "began": 100 * DAY,
        "id": f"delay/{order}",
        "model": "delay",
        "order": order,
        "previous": previous,
        "sites": sites or ("here",),
        "status": status,
        "version": version,
    }


def state(releases: list[Any], aliases: Mapping[str, int], versions: int = 9) -> Rows:
    return Rows(
        {
            "aliases": {
                f"delay/{name}": {"alias": name, "model": "delay", "version": version}
                for name, version in aliases.items()
            },
            "releases": {f"delay/{one['order']:08d}": one for one in releases},
            "retained_packages": {
                f"delay/{n:08d}/w/{n}": {
                    "model": "delay",
                    "package": f"package {n}",
                    "run": f"run {n}",
                    "version": n,
                }
                for n in range(1, versions + 1)
            },
        }
    )


@pytest.mark.parametrize(
    ("releases", "aliases", "live"),
    [
        ([], {}, set()),
        ([], {"oldest-loved": 1}, {1}),
        ([release(0, 3, None, "completed")], {"champion": 3}, {3}),
        ([release(0, 3, 2, "completed")], {"champion": 3}, {2, 3}),
        ([release(0, 3, 2, "running")], {"champion": 2, "challenger": 3}, {2, 3}),
        # It was rolled back: what went back into traffic stays, and what that one would go back to.
        (
            [release(0, 2, 1, "completed"), release(1, 3, 2, "rolled-back")],
            {"champion": 2},
            {1, 2, 3},
        ),
        # Releases of long ago keep nothing.
        (
            [
                release(0, 1, None, "completed"),
                release(1, 2, 1, "completed"),
                release(2, 3, 2, "completed"),
            ],
            {"champion": 3},
            {2, 3},
        ),
        # Each site has a latest release of its own, and one may run where another has begun later.
        (
            [release(0, 4, 1, "completed", "there"), release(1, 3, 2, "completed", "here")],
            {"champion": 3},
            {1, 2, 3, 4},
        ),
        (
            [
                release(0, 4, 1, "running", "there", "here"),
                release(1, 3, 2, "completed", "there"),
                release(2, 3, 2, "completed", "here"),
            ],
            {"champion": 3},
            {1, 2, 3, 4},
        ),
        # Of keys and orders, the order says which is the latest.
        (
            [{**release(5, 4, 1, "completed"), "order": 0}, release(1, 3, 2, "completed")],
            {"champion": 3},
            {2, 3},
        ),
    ],
)
def test_live_versions(releases: list[Any], aliases: Mapping[str, int], live: set[int]) -> None:
    found = kept_versions(state(releases, aliases), newest=0)
    assert found == {("delay", version): "live" for version in live}


def test_the_newest_stay_beside_the_live_ones() -> None:
    found = kept_versions(state([], {"champion": 1}), newest=2)
    assert found == {("delay", 1): "live", ("delay", 8): "newest", ("delay", 9): "newest"}


def asked(**settings: int) -> Circumstances:
    return Circumstances(
        site="here",
        settings=RetentionSpec(**settings),
        now=1000 * DAY,
        pipelines=frozenset(),
        window_days=7,
    )


def test_the_strongest_reason_is_told() -> None:
    rows = state([], {"champion": 9})
    found = standings(rows, asked(versions=3))
    assert (found["package 9"].reason, found["package 8"].reason) == ("live", "newest")
    assert (found["package 1"].kind, found["package 1"].reason) == ("package", None)


def log(name: str, model: str, asked_at: int, answered: int, site: str = "here") -> tuple[str, Any]:
    row = {
        "answered": answered * DAY,
        "digest": f"digest of {name}",
        "file": name,
        "first": asked_at * DAY,
        "last": asked_at * DAY,
        "model": model,
        "rows": 1,
    }
    return f"{site}/{model}/{asked_at:06d}/{name}", row


def traffic(*logs: tuple[str, Any], releases: list[Any] | None = None) -> Rows:
    newest: dict[str, Any] = {}
    for key, row in logs:
        log_of = key.rpartition(f"/{row['last'] // DAY:06d}/")[0]
        before = newest.get(log_of, {"answered": 0, "earliest": row["first"], "latest": 0})
        newest[log_of] = {
            "answered": max(before["answered"], row["answered"]),
            "earliest": min(before["earliest"], row["first"]),
            "file": row,
            "latest": max(before["latest"], row["last"]),
        }
    answered = {
        key.replace(f"/{row['last'] // DAY:06d}/", f"/{row['answered'] // DAY:06d}/"): row
        for key, row in logs
    }
    begun = {f"delay/{one['order']:08d}": one for one in releases or []}
    return Rows(
        {"logs": dict(logs), "logs_answered": answered, "logs_newest": newest, "releases": begun}
    )


def kept(rows: Rows, **settings: int) -> set[str]:
    parts = log_parts(rows, asked(**settings))
    return {name for name, (_, standing) in parts.items() if standing.reason is not None}


def test_parts_of_the_log_stay_for_their_days() -> None:
    rows = traffic(*(log(f"day {day}", "delay", day, day) for day in (900, 940, 960, 999)))
    assert kept(rows, logs_days=50) == {"day 960", "day 999"}
    assert kept(rows, logs_days=0) == {"day 900", "day 940", "day 960", "day 999"}


def test_what_monitoring_looks_back_on_stays_by_its_own_calendar() -> None:
    """A replay plays days of long ago; its window is a week of theirs."""
    rows = traffic(
        log("long ago", "delay", 100, 900),
        log("a week before", "delay", 195, 900),
        log("last", "delay", 200, 900),
    )
    assert kept(rows, logs_days=10) == {"a week before", "last"}


def test_a_running_release_keeps_what_was_answered_since_it_began() -> None:
    logs = (
        log("before it began", "delay", 50, 90),
        log("since it began", "delay", 60, 105),
        log("last", "delay", 999, 999),
    )
    runs, over = release(0, 2, 1, "running"), release(0, 2, 1, "completed")
    assert kept(traffic(*logs, releases=[runs]), logs_days=10) == {"since it began", "last"}
    assert kept(traffic(*logs, releases=[over]), logs_days=10) == {"last"}
    assert looked_back(traffic(*logs, releases=[runs]), asked())["delay"] == 60 * DAY


def test_a_part_with_rows_of_two_models_stays_as_long_as_one_wants_it() -> None:
    rows = traffic(
        log("both", "delay", 100, 100),
        log("both", "fraud", 100, 100),
        log("last", "delay", 999, 999),
    )
    assert kept(rows, logs_days=10) == {"both", "last"}


def test_another_sites_parts_are_not_judged_here() -> None:
    rows = traffic(log("theirs", "delay", 100, 100, site="there"), log("ours", "delay", 999, 999))
    assert set(log_parts(rows, asked(logs_days=10))) == {"ours"}
