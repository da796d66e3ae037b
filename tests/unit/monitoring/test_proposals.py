from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.canonical import canonical
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft, Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.project import MonitoringSpec
from freehold.domain.signal import Kind, Signal, Window
from freehold.monitoring.proposals import (
    PROPOSALS,
    Proposal,
    made,
    proposals_of,
    propose,
    raised,
    settle,
    signals_of,
)

SETTINGS = MonitoringSpec()


class Tables:
    """State that folds what is appended to it."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Any] = {}
        self.count = 0

    def get(self, table: str, key: str) -> Any | None:
        return self.rows.get((table, key))

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        for (name, key), value in sorted(self.rows.items()):
            if name == table and key.startswith(prefix):
                yield key, value

    def append(self, draft: Draft) -> str:
        assert draft.type in PROPOSALS.types
        canonical(draft.body)
        time = HybridTime(self.count)
        fact = Fact(draft.type, 1, "w", self.count, time, {}, draft.cause, "a", draft.body)
        for change in PROPOSALS.fold(fact, self):
            self.rows[change.table, change.key] = change.value
        self.count += 1
        return fact.name

    def proposals(self) -> list[Proposal]:
        return [*proposals_of(self, "flight-delay"), *proposals_of(self, "m")]


def signal(kind: Kind = "score-drift", day: str = "2013-07-07", version: int = 1) -> Signal:
    feature = "wind" if kind == "feature-drift" else None
    window = Window("2013-07-01", day)
    return Signal(kind, "flight-delay", version, feature, 0.4, 0.3, 0.35, 0.45, 0.95, 900, window)


def test_a_signal_becomes_a_proposal_and_is_seen_through() -> None:
    tables = Tables()
    cause = tables.append(raised(signal()))
    proposal = propose([signal(), signal("feature-drift")], [], "2013-07-08", SETTINGS)
    assert proposal is not None and proposal.name == "flight-delay/2013-07-08"
    assert [one["kind"] for one in proposal.signals] == ["score-drift"]
    tables.append(made(proposal, [cause]))
    (standing,) = tables.proposals()
    assert standing.open and standing.fact == "w/1"
    approval = settle(standing, "approved", "2013-07-09", actor="p-1")
    assert (approval.actor, approval.cause) == ("p-1", ("w/1",))
    tables.append(approval)
    (standing,) = tables.proposals()
    tables.append(settle(standing, "done", "2013-07-10", made_version=2))
    (standing,) = tables.proposals()
    assert (standing.standing, standing.made_version, standing.settled) == (
        "done",
        2,
        "2013-07-10",
    )
    assert Proposal.from_json(standing.as_json()) == standing
    assert signals_of(tables, "flight-delay") == [signal()] and signals_of(tables, "m") == []
    assert tables.get("signals", "flight-delay/2013-07-07/1/score-drift/")["fact"] == cause


def test_warnings_alone_propose_nothing() -> None:
    assert propose([signal("feature-drift")], [], "2013-07-08", SETTINGS) is None
    assert propose([], [], "2013-07-08", SETTINGS) is None


def test_signals_of_two_versions_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="several model versions"):
        propose([signal(), signal(version=2)], [], "2013-07-08", SETTINGS)


def test_nothing_while_one_is_open_nor_before_it_has_cooled_down() -> None:
    early = Proposal("flight-delay/2013-07-08", "flight-delay", 1, "2013-07-08", ())
    rejected = Proposal.from_json(
        {**early.as_json(), "standing": "rejected", "settled": "2013-07-10"}
    )
    assert propose([signal()], [early], "2014-01-01", SETTINGS) is None
    assert propose([signal()], [rejected], "2013-07-23", SETTINGS) is None
    assert propose([signal()], [rejected], "2013-07-24", SETTINGS) is not None
    other = Proposal("other/2013-07-08", "other", 1, "2013-07-08", ())
    assert propose([signal()], [other], "2013-07-08", SETTINGS) is not None
    hot = MonitoringSpec(cool_down_days=0)
    assert propose([signal()], [rejected], "2013-07-10", hot) is not None
    assert propose([signal()], [rejected], "2013-07-08", hot) is None


def test_a_settled_proposal_cannot_be_settled_again() -> None:
    proposal = Proposal("m/2013-07-08", "m", 1, "2013-07-08", (), standing="rejected")
    with pytest.raises(Conflict) as conflict:
        settle(proposal, "approved", "2013-07-09")
    assert conflict.value.code == "proposal.not-open"
    with pytest.raises(Conflict):
        settle(Proposal("m/2013-07-08", "m", 1, "2013-07-08", ()), "done", "2013-07-09")


def test_facts_that_do_not_fit_change_nothing() -> None:
    tables = Tables()
    body = {"proposal": "m/2013-07-08", "day": "2013-07-09", "made_version": 3}
    tables.append(Draft("proposal.approved", body))
    assert tables.rows == {}
    proposal = Proposal("m/2013-07-08", "m", 1, "2013-07-08", ())
    tables.append(made(proposal))
    tables.append(Draft("proposal.done", body))
    tables.append(Draft("proposal.rejected", body))
    before = dict(tables.rows)
    tables.append(Draft("proposal.approved", body))
    tables.append(made(proposal))
    assert tables.rows == before and tables.proposals()[0].standing == "rejected"


@given(st.lists(st.sampled_from(["quiet", "drift", "approve", "reject", "done"]), max_size=120))
def test_proposals_keep_their_distance_whatever_happens(events: list[str]) -> None:
    tables, day = Tables(), date(2013, 4, 1)
    for event in events:
        day += timedelta(days=1)
        last = max(tables.proposals(), key=lambda one: one.day, default=None)
        if event == "drift":
            proposal = propose([signal()], tables.proposals(), day.isoformat(), SETTINGS)
            if proposal:
                tables.append(made(proposal))
        elif last and event in ("approve", "reject") and last.standing == "made":
            verb = "approved" if event == "approve" else "rejected"
            tables.append(settle(last, verb, day.isoformat()))
        elif last and event == "done" and last.standing == "approved":
            tables.append(settle(last, "done", day.isoformat()))
    made_on = sorted(date.fromisoformat(one.day) for one in tables.proposals())
    gaps = [(b - a).days for a, b in pairwise(made_on)]
    assert all(gap >= SETTINGS.cool_down_days for gap in gaps)
    assert sum(one.open for one in tables.proposals()) <= 1
