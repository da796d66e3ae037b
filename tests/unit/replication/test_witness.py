"""Naming who signed two histories."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.replication.head import encode_head
from freehold.replication.layout import HeadName
from freehold.replication.own_log import roots_at
from freehold.replication.publishing import publish_log
from freehold.replication.witness import (
    Sighting,
    accusations,
    examine,
    sightings_of,
    withdrawal,
)

OTHER = "0" * 64


@pytest.fixture(scope="module")
def alice(party: Callable[..., Any]) -> Any:
    return party("alice").write(3, 2, 4)


def test_the_honest_are_not_accused(alice: Any) -> None:
    held = list(alice.ledger.checkpoints())
    again = alice.signed(9, held[-1].root)
    assert accusations(held, [*held, again]) == ()
    assert accusations([], [*held, again]) == ()
    inside = alice.signed(4, roots_at(alice.ledger, "alice", [4])[4])
    assert accusations(held, [inside], roots={("alice", 4): inside.root}) == ()


def test_two_roots_of_one_size_are_proof(alice: Any) -> None:
    held = list(alice.ledger.checkpoints())
    lie = alice.signed(5, OTHER)
    (accused,) = accusations(held, [lie])
    assert (accused.writer, accused.code) == ("alice", "log.rewritten")
    assert {accused.earlier, accused.later} == {held[1], lie}
    assert accused.earlier.is_signed_by(alice.public)
    assert accused.later.is_signed_by(alice.public)
    assert len(accusations([], [held[1], lie])) == 1, "both may have been found just now"


def test_a_smaller_tree_that_does_not_begin_the_log_is_proof(alice: Any) -> None:
    held = list(alice.ledger.checkpoints())
    lie = alice.signed(4, OTHER)
    roots = {("alice", 4): roots_at(alice.ledger, "alice", [4])[4]}
    (accused,) = accusations(held, [lie], roots=roots)
    assert (accused.code, accused.earlier, accused.later) == ("log.rewritten", held[-1], lie)


def test_examining_reads_what_all_stores_have(alice: Any) -> None:
    stores = [MemoryObjectStore(), MemoryObjectStore()]
    publish_log(alice.ledger, "alice", alice.public, stores[0])
    assert examine("alice", alice.ledger, stores, alice.public) == ()
    for size in (4, 9):
        name, data = encode_head(alice.signed(size, OTHER))
        stores[1].put(name.key, data)
    stores[1].put(HeadName("alice", 7, OTHER).key, b"no head")
    told = examine(
        "alice",
        alice.ledger,
        stores,
        alice.public,
        [Sighting("alice", 6, OTHER, "bob/1"), Sighting("carol", 6, OTHER, "bob/1")],
    )
    assert [one.code for one in told] == ["log.rewritten", "log.rewritten", "log.disputed"]
    assert {one.writer for one in told} == {"alice"}


def test_what_another_saw_is_a_dispute(alice: Any, party: Callable[..., Any]) -> None:
    held = list(alice.ledger.checkpoints())
    seen = {"alice": f"5:{OTHER}", "carol": "not a head"}
    fact = Fact("x.y", 1, "bob", 7, HybridTime(1), seen, (), "system")
    assert sightings_of(fact) == (Sighting("alice", 5, OTHER, "bob/7"),)
    (accused,) = accusations(held, [], sightings=sightings_of(fact))
    assert (accused.code, accused.writer, accused.earlier) == ("log.disputed", "alice", held[1])
    true = Sighting("alice", 5, held[1].root, "bob/8")
    unknown = Sighting("alice", 7, OTHER, "bob/9")
    assert accusations(held, [], sightings=[true, unknown]) == ()


def test_a_head_that_went_back_is_suspicious(alice: Any) -> None:
    held = list(alice.ledger.checkpoints())
    assert withdrawal(held[1], held[2]) is None
    assert withdrawal(held[1], held[1]) is None
    back, gone = withdrawal(held[2], held[1]), withdrawal(held[2], None)
    assert back is not None
    assert gone is not None
    assert (back.code, gone.code) == ("log.withdrawn", "log.withdrawn")


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=6))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_there_is_an_accusation_just_if_there_is_a_lie(
    alice: Any, heads: list[tuple[int, bool]]
) -> None:
    sizes = [size for size, _ in heads]
    roots = roots_at(alice.ledger, "alice", sizes)
    found = [alice.signed(size, roots[size] if honest else OTHER) for size, honest in heads]
    told = accusations(
        alice.ledger.checkpoints(),
        found,
        roots={("alice", size): root for size, root in roots.items()},
    )
    assert bool(told) == (not all(honest for _, honest in heads))
