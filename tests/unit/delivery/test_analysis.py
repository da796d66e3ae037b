"""A look that holds leaves its record when it tells something new, and no sooner."""

from collections.abc import Iterator
from math import log2
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from freehold.delivery.analysis import EVERY, analysed, is_due, recorded_hold
from freehold.delivery.decision import Hold
from freehold.delivery.observation import Observation
from freehold.delivery.standing import ANALYSES, analysis_key
from freehold.domain.canonical import canonical
from freehold.domain.project import ReleaseSpec
from freehold.domain.release import Release
from freehold.domain.statistics.estimate import Estimate

MINUTE = 60_000_000
RELEASE = Release("m/2", "m", 2, 1, "canary", ReleaseSpec(), sites=("here",), begun=(0,))


class Kept:
    """What the projection keeps of looks, and how often one was recorded."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self.count = 0

    def get(self, table: str, key: str) -> Any | None:
        assert table == ANALYSES
        return self.rows.get(key)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        raise AssertionError("a look reads one row")

    def look(self, hold: Hold, seen: Observation, now: int, site: str = "here") -> bool:
        found = analysed(RELEASE, hold, [seen], site)
        if not is_due(self, found, site, now):
            return False
        body = orjson.loads(canonical(dict(found.body)))
        self.rows[analysis_key("m/2", site)] = {**body, "at": now}
        self.count += 1
        return True


def seen(rows: int, labelled: int = 0) -> Observation:
    quality = Estimate(0.0, -0.1, 0.1, 0.99, labelled) if labelled else None
    return Observation(rows, 0, Estimate(0.0, 0.0, 0.5, 0.99, rows), quality_difference=quality)


looks = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(0, 90)), max_size=80)


@given(looks)
def test_what_was_recorded_is_never_far_behind_and_the_ledger_does_not_drown(
    told: list[tuple[int, int, int]],
) -> None:
    kept, rows, labelled, now = Kept(), 0, 0, 0
    for more, labels, minutes in told:
        rows, labelled, now = (
            rows + more,
            min(labelled + labels, rows + more),
            now + minutes * MINUTE,
        )
        kept.look(Hold("rows", rows, 300), seen(rows, labelled), now)
        row = kept.get(ANALYSES, analysis_key("m/2", "here"))
        if not rows:
            assert row is None
            continue
        assert row is not None
        assert rows < 2 * row["rows"] or rows == row["rows"]
        if row["rows"] != rows:
            assert now - row["at"] < EVERY
    if rows:
        doubled = log2(rows) + 1 + (log2(labelled) + 1 if labelled else 0)
        assert kept.count <= doubled + now / EVERY


def test_another_reason_is_recorded_at_once_and_the_same_one_once() -> None:
    kept = Kept()
    assert not kept.look(Hold("rows", 0, 300), seen(0), 0)
    assert kept.look(Hold("frozen", 0, 0, "frozen:weekly"), seen(0), 0)
    assert not kept.look(Hold("frozen", 0, 0, "frozen:weekly"), seen(0), 9 * EVERY)
    assert kept.look(Hold("frozen", 0, 0, "frozen:budget"), seen(0), 9 * EVERY)
    assert kept.look(Hold("rows", 9, 300), seen(9), 9 * EVERY)
    assert kept.look(Hold("paused", 9, 0), seen(9), 9 * EVERY)
    assert not kept.look(Hold("paused", 9, 0), seen(9), 99 * EVERY)
    assert recorded_hold(kept, RELEASE, "here") == "paused"
    assert recorded_hold(kept, RELEASE, "there") == ""


def test_each_site_has_its_own_record() -> None:
    kept = Kept()
    assert kept.look(Hold("rows", 9, 300), seen(9), 0)
    assert kept.look(Hold("lead", 9, 0, "here"), seen(9), 0, "there")
    assert not kept.look(Hold("rows", 9, 300), seen(9), 0)


def test_labels_that_come_late_are_told_although_no_row_was_asked() -> None:
    kept = Kept()
    assert kept.look(Hold("time", 9, 0), seen(900), 0)
    assert kept.look(Hold("time", 9, 0), seen(900, 10), 1)
    assert not kept.look(Hold("time", 9, 0), seen(900, 19), 2)
    assert kept.look(Hold("time", 9, 0), seen(900, 20), 3)
