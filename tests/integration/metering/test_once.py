"""Whatever happens between them, each thing consumed stands in the rows once."""

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from focus import rules
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.app.audit.verify import audit
from freehold.app.costs import meter as metering
from freehold.app.site.opening import open_site
from freehold.catalog.metering import unmetered

DOINGS = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(1, 90_000)),
        st.tuples(st.just("part"), st.integers(1, 5_000)),
        st.tuples(st.just("moves"), st.integers(1, 3_000_000)),
        st.tuples(st.just("moves on"), st.integers(1, 3_000_000)),
        st.tuples(st.just("beat"), st.integers(1, 4_000)),
        st.tuples(st.just("pass"), st.integers(1, 9_000)),
        st.tuples(st.sampled_from(["meter", "killed before", "killed after"]), st.just(0)),
    ),
    min_size=1,
    max_size=14,
)


class Killed(BaseException):
    """Stands for the end of the process between the artifact and the fact, or after it."""


class Story:
    """Does things to a site and keeps count of what they should come to."""

    def __init__(self, consumer: Any) -> None:
        self.consumer, self.clock = consumer, consumer.clock
        self.hours = self.predictions = self.sent = self.replica_hours = 0.0
        self.going: Any = None
        self.start = self.clock.now
        self.up = 0.0

    def do(self, what: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        if what == "step":
            self.consumer.step(size)
            self.hours += size / 3600
        elif what == "part":
            self.consumer.log_part(size)
            self.predictions += size
        elif what == "moves":
            self.consumer.moves(sent=size)
            self.sent += size
        elif what == "moves on":
            self.going = self.going or self.consumer.moves(ended=False)
            self.going.sent("there", size)
            self.sent += size
        elif what == "beat":
            self.clock.pass_seconds(size)
            self.up += size
            self.consumer.beat("1-1", self.start, v1=self.up)
        elif what == "pass":
            self.clock.pass_seconds(size)
        elif what == "meter":
            self.consumer.meter()
        else:
            self._killed(what, monkeypatch)

    def _killed(self, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
        ledger = type(self.consumer.site.ledger)
        decide = ledger.decide

        def dies(one: Any, decision: Any) -> Any:
            if when == "killed after":
                decide(one, decision)
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(ledger, "decide", dies)
            try:
                self.consumer.meter()
            except Killed:
                return

    def end(self) -> None:
        if self.going is not None:
            self.going.end()
        self.clock.pass_seconds(3700)
        if self.up:
            self.consumer.beat("1-1", self.start, ended=True, v1=self.up)
        self.consumer.meter()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(DOINGS)
def test_rows_are_what_was_consumed(
    consumers: Callable[[], Any], doings: list[tuple[str, int]]
) -> None:
    consumer = consumers()
    story = Story(consumer)
    for what, size in doings:
        story.do(what, size, pytest.MonkeyPatch())
    story.end()
    assert consumer.meter() is None
    assert unmetered(consumer.site.state, consumer.site.ledger.writer) == ()
    rows = consumer.rows()

    def sum_of(kind: str, sku: str = "") -> float:
        found = rows.filter(pl.col("x_Kind") == kind)
        found = found.filter(pl.col("SkuId") == sku) if sku else found
        return float(found["ConsumedQuantity"].sum())

    assert sum_of("step") == pytest.approx(story.hours)
    assert sum_of("requests", "predictions") * 1000 == pytest.approx(story.predictions)
    assert sum_of("transfer") * 1e9 == pytest.approx(story.sent)
    assert sum_of("endpoint") == pytest.approx(story.up / 3600)
    assert rows["x_RowId"].n_unique() == rows.height
    assert rules.faults_of(rows) == []
    _facts_say_the_same(consumer, rows)


def _facts_say_the_same(consumer: Any, rows: pl.DataFrame) -> None:
    """Sum over rows = sum over facts, by kind; and the tables folded from them are that."""
    facts = [one for fact in consumer.facts("usage.metered") for one in fact["body"]["spent"]]
    spent = consumer.spent()
    for kind in ("step", "transfer", "endpoint", "requests", "storage"):
        of_rows = rows.filter(pl.col("x_Kind") == kind)
        for told in (
            [(one["money"], one["rows"]) for one in facts if one["kind"] == kind],
            [(one.money, one.rows) for one in spent if one.kind == kind],
        ):
            assert sum(money for money, _ in told) == pytest.approx(of_rows["BilledCost"].sum())
            assert sum(count for _, count in told) == of_rows.height
    recorded = consumer.facts("usage.recorded")
    assert sum(fact["body"]["rows"] for fact in recorded) == rows.height


def test_two_processes_that_meter_at_once_meter_once(consumer: Any) -> None:
    """The one that decides second sees that the state has moved, and makes its rows anew."""
    consumer.step(60, run="r1", step="one")
    with open_site(consumer.folder, consumer.clock) as other:
        rival = type(consumer)(consumer.folder, consumer.clock, other)
        look = metering._look
        raced: list[int] = []

        def slow(site: Any) -> Any:
            seen = look(site)
            if site is consumer.site and not raced:
                raced.append(1)
                assert rival.meter() is not None
                rival.step(30, run="r1", step="two")
            return seen

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(metering, "_look", slow)
            consumer.meter()
    assert raced and consumer.quantity("step") == pytest.approx(90 / 3600)
    assert consumer.rows()["x_Step"].to_list() == ["one", "two"]


SCRIPT = """
import sys
from pathlib import Path
from freehold.app.costs.meter import meter
from freehold.app.site.moved import tally
from freehold.app.site.opening import open_site
from freehold.domain.fact import Draft

with open_site(Path(sys.argv[1])) as site:
    acknowledge("opened")
    for place in range(4):
        body = {"cached": False, "components": {}, "function": "f", "inputs": [], "outputs": [],
                "key": str(place), "microseconds": 1_000_000, "run": "r", "step": f"s{place}"}
        site.ledger.append([Draft("step.finished", body)])
        acknowledge(f"step {place}")
        with tally(site.folder, site.clock) as counted:
            counted.sent("there", 2_000_000)
        acknowledge(f"moved {place}")
        meter(site)
        acknowledge(f"metered {place}")
"""


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_loses_and_doubles_nothing(
    consumers: Callable[[], Any], crash: Any, seed: int
) -> None:
    whole = consumers()
    lines = crash.count_lines(SCRIPT, [whole.folder])
    consumer = consumers()
    outcome = crash.run_until_killed(SCRIPT, [consumer.folder], seed=seed, lines=lines)
    steps = sum(line.startswith("step") for line in outcome.acknowledged)
    moved = sum(line.startswith("moved") for line in outcome.acknowledged)
    consumer.clock.now = 4 * 10**15
    consumer.meter()
    report = audit(consumer.site)
    assert report.history.holds, report.history.faults
    done = [json.loads(line) for _, line in consumer.site.ledger.lines()]
    finished = sum(fact["type"] == "step.finished" for fact in done)
    assert finished in (steps, steps + 1)
    assert consumer.quantity("step") * 3600 == pytest.approx(finished)
    sent = consumer.quantity("transfer") * 1000 / 2
    assert sent == pytest.approx(moved) or sent == pytest.approx(moved + 1)
    assert consumer.rows()["x_RowId"].n_unique() == consumer.rows().height
