"""Versions, runs, holds, and how long traffic is looked back on, case by case."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from freehold.catalog.retention.judgement import HOUR, Docket, StoredObject, judge
from freehold.catalog.retention.law import DAY, Circumstances
from freehold.catalog.retention.models import kept_versions
from freehold.catalog.retention.references import standings
from freehold.catalog.retention.runs import open_runs
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
        "began": 103 * DAY,
        "begun": [100 * DAY, 103 * DAY],
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


def ran(name: str, day: int, status: str, writer: str = "here-1") -> tuple[str, Any]:
    row = {
        "ended": None if status == "running" else day * DAY,
        "fact": f"{writer}/{day}",
        "pipeline": "train",
        "run": name,
        "started": day * DAY,
        "status": status,
    }
    return name, row


@pytest.mark.parametrize(
    ("runs", "driven", "judged", "found"),
    [
        ([ran("a", 1, "running")], (), (), {"a"}),
        ([ran("a", 1, "failed"), ran("b", 2, "failed")], (), (), {"a", "b"}),
        ([ran("a", 1, "failed"), ran("b", 2, "finished")], (), ("b",), set()),
        ([ran("a", 1, "finished"), ran("b", 2, "failed")], (), ("a",), {"b"}),
        # It is overtaken, but a process is still at it.
        ([ran("a", 1, "running"), ran("b", 2, "finished")], ("a",), ("b",), {"a"}),
        # Its steps are through, and it waits to be registered.
        ([ran("a", 1, "finished"), ran("b", 2, "finished")], (), (), {"b"}),
        # Nobody overtakes a run of another site.
        ([ran("a", 1, "failed", "there-1"), ran("b", 2, "finished")], (), ("b",), {"a"}),
        # A row of which only the end is known.
        ([("a", {"ended": None, "status": "running"})], (), (), {"a"}),
    ],
)
def test_open_runs(runs: Any, driven: Any, judged: Any, found: set[str]) -> None:
    versions = {
        f"delay/{number:08d}": {
            "actor": "",
            "allowed": True,
            "attestations": {},
            "champion": None,
            "denials": [],
            "headline": {},
            "judged": "here-1/9",
            "model": "delay",
            "package": "",
            "registered": "here-1/8",
            "run": run,
            "version": number,
            "wall": 0,
        }
        for number, run in enumerate(judged, 1)
    }
    rows = Rows({"runs": dict(runs), "versions": versions})
    told = replace(asked(), pipelines=frozenset({"train"}), driven=frozenset(driven))
    assert open_runs(rows, told).keys() == found


def held(kind: str, name: str) -> Rows:
    """Versions 1 and 2 of run 1 and run 2, each with a step that read and made something."""
    steps = {
        f"run {n}/fit": {
            "inputs": [f"table {n}"],
            "outputs": [{"digest": f"model {n}"}],
            "run": f"run {n}",
        }
        for n in (1, 2)
    }
    stamp = {"actor": "", "fact": "w/1", "reason": "", "wall": 0}
    holds = {"hold-1": {"hold": "hold-1", "kind": kind, "name": name, **stamp}}
    packages = {
        f"delay/{n:08d}/w/{n}": {
            "model": "delay",
            "package": f"package {n}",
            "run": f"run {n}",
            "version": n,
        }
        for n in (1, 2)
    }
    return Rows({"holds": holds, "retained_packages": packages, "steps": steps})


@pytest.mark.parametrize(
    ("kind", "name", "kept"),
    [
        ("version", "delay@1", {"package 1", "table 1", "model 1"}),
        ("run", "run 2", {"package 2", "table 2", "model 2"}),
        ("digest", "table 2", {"table 2"}),
        ("digest", "elsewhere", {"elsewhere"}),
        ("version", "delay@7", set()),
    ],
)
def test_what_a_hold_keeps(kind: str, name: str, kept: set[str]) -> None:
    found = standings(held(kind, name), asked(versions=0, runs_days=0))
    assert {digest for digest, one in found.items() if one.reason is not None} == kept
    assert {one.by for one in found.values() if one.reason} <= {"hold-1"}


def test_an_object_goes_at_the_second_look_and_not_before_its_grace_is_over() -> None:
    key = "artifacts/sha256/ab/" + "ab" * 32

    def verdict(grace: int, noted: int | None, now: int) -> str:
        docket = Docket(
            standings={},
            noted={} if noted is None else {key: noted * HOUR},
            now=now * HOUR,
            grace_hours=grace,
            open_since={},
        )
        (one,) = judge([StoredObject(key, 1)], docket)
        return one.verdict

    assert verdict(24, None, 100) == "waits"
    assert verdict(0, None, 100) == "waits"
    assert verdict(0, 100, 100) == "goes"
    assert verdict(24, 77, 100) == "waits"
    assert verdict(24, 76, 100) == "goes"
    assert verdict(24, 200, 100) == "waits"


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
        if row["last"] // DAY != row["answered"] // DAY
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
        log("since it began", "delay", 60, 102),
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
