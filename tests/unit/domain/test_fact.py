"""The envelope of a fact. The golden file is the promise: a change breaks every stored log."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.canonical import canonical
from freehold.domain.fact import ENVELOPE, Draft, Entry, Fact
from freehold.domain.head import Head
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import leaf_hash, root_of

GOLDEN = Path(__file__).parents[2] / "golden" / "fact.json"
SAMPLE = Fact(
    type="model.registered",
    version=2,
    writer="laptop",
    sequence=41,
    time=HybridTime(1_700_000_000_123_456, 7),
    seen={"cloud": "12:" + "ab" * 32},
    cause=("laptop/39", "laptop/40"),
    actor="person-7f3a",
    body={"model": "flight-delay", "number": 2, "auc": 0.731, "größe": [1.0, None, True]},
)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _texts
    | st.floats(-(2.0**53), 2.0**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
_facts = st.builds(
    Fact,
    type=_texts,
    version=st.integers(1, 9),
    writer=_texts,
    sequence=st.integers(0, 2**40),
    time=st.builds(HybridTime, st.integers(0, 2**52), st.integers(0, 99)),
    seen=st.dictionaries(_texts, _texts, max_size=2),
    cause=st.lists(_texts, max_size=2).map(tuple),
    actor=_texts,
    body=st.dictionaries(_texts, _json, max_size=4),
)


def test_the_envelope_is_the_golden_one() -> None:
    golden = json.loads(GOLDEN.read_text())
    entry = Entry.of(SAMPLE)
    assert entry.encoded == golden["encoded"].encode()
    assert entry.leaf.hex() == golden["leaf"]
    assert ENVELOPE == json.loads(golden["encoded"])["envelope"] == 1


def test_the_golden_fact_can_be_read() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert Fact.from_json(json.loads(golden["encoded"])) == SAMPLE
    assert SAMPLE.name == "laptop/41"


@given(_facts)
def test_the_bytes_are_canonical_and_come_back(fact: Fact) -> None:
    assert fact.encoded() == canonical(fact.as_json())
    assert Fact.from_json(json.loads(fact.encoded())) == fact


@pytest.mark.parametrize(
    "change",
    [{"envelope": 2}, {"envelope": None}, {"time": {}}, {"time": 3}, {"cause": None}],
)
def test_what_is_not_a_fact_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not a fact|not known"):
        Fact.from_json(SAMPLE.as_json() | change)
    missing = SAMPLE.as_json()
    del missing["actor"]
    with pytest.raises(ValueError, match="not a fact"):
        Fact.from_json(missing)


def test_a_head_numbers_times_and_hashes() -> None:
    head = Head("w")
    first = head.extend([Draft("a.b", {"n": 1}), Draft("a.b", {"n": 2}, 3, ("w/0",), "p")], 100)
    second = head.extend([Draft("a.b", {})], 50)
    entries = (*first, *second)
    assert [entry.fact.sequence for entry in entries] == [0, 1, 2]
    assert [entry.fact.time for entry in entries] == [
        HybridTime(100), HybridTime(100, 1), HybridTime(100, 2),
    ]  # fmt: skip
    assert [entry.leaf for entry in entries] == [leaf_hash(entry.encoded) for entry in entries]
    checkpoint = head.checkpoint(200, "sha256:00")
    assert checkpoint.size == 3
    assert checkpoint.root == root_of([entry.leaf for entry in entries]).hex()
