"""Verdicts and outcomes of proposals that two sites stated without knowing of each other."""

from itertools import count

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.domain.fact import Draft
from freehold.ports.contracts.kept_logs import copy_all
from freehold.ports.contracts.signer import TransientSigner
from freehold.replication.claims import Quarrel, conflicts_of, projection

Pair = tuple[MemoryLedger, MemoryLedger]


@pytest.fixture
def pair() -> Pair:
    def ledger(name: str) -> MemoryLedger:
        clock = count(1_700_000_000_000_000, 1000).__next__
        return MemoryLedger(
            writer=name, signer=TransientSigner(), clock=clock, projections=[projection]
        )

    return ledger("a-00000000"), ledger("b-00000000")


def meet(pair: Pair) -> list[Quarrel]:
    """What is then open, everywhere."""
    one, other = pair
    copy_all(one, other)
    copy_all(other, one)
    open_here, open_there = ([q for q in conflicts_of(at.state) if q.open] for at in pair)
    assert open_here == open_there
    return open_here


def judged(allowed: bool) -> Draft:
    return Draft("model.judged", {"model": "m", "version": 4, "allowed": allowed})


def told(standing: str, version: int | None = None) -> Draft:
    body = {"proposal": "m/2024-01-01", "day": "2024-01-02"}
    more = {} if version is None else {"made_version": version}
    return Draft(f"proposal.{standing}", {**body, **more})


def test_verdicts_that_differ_are_a_conflict_until_somebody_judges_again(pair: Pair) -> None:
    pair[0].append([judged(True)])
    pair[1].append([judged(False)])
    (quarrel,) = meet(pair)
    assert (quarrel.kind, quarrel.about) == ("verdict", "m@4")
    assert [side.value for side in quarrel.sides] == ["allowed", "denied"]
    pair[0].append([judged(True)])
    assert meet(pair) == []


@pytest.mark.parametrize(
    ("there", "values"),
    [
        (told("done", 5), ["made @4", "made @5"]),
        (told("failed"), ["made @4", "failed"]),
    ],
)
def test_two_outcomes_of_one_proposal_are_a_conflict(
    pair: Pair, there: Draft, values: list[str]
) -> None:
    pair[0].append([told("approved"), told("done", 4)])
    pair[1].append([told("approved"), there])
    (quarrel,) = meet(pair)
    assert (quarrel.kind, quarrel.about) == ("outcome", "m/2024-01-01")
    assert [side.value for side in quarrel.sides] == values


def test_what_two_sites_agree_on_is_none(pair: Pair) -> None:
    pair[0].append([judged(True), told("approved"), told("done", 4)])
    pair[1].append([judged(True), told("approved")])
    assert meet(pair) == []
