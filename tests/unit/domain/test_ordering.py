"""Entries come in the common order as its definition has it; what the place of one depends on is
found in its bytes, whatever its texts hold."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain import ordering
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import LIMIT, HybridTime
from freehold.domain.ordering import BEGINNING, Outline, Place, in_order, outline, outline_of

HEAD = "0" * 64
END = '"seen":{},"sequence":1,"time":{"logical":0,"wall":9},"type":"a","version":1,"writer":"w"}'
_texts = st.sampled_from([END, f"x,{END}", '"', "\\", "}", "ä", ""]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)
_bodies = st.recursive(
    _texts | st.integers(0, 9) | st.just({"time": {"logical": 0, "wall": 9}, "seen": {}}),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=5,
)
_facts = st.builds(
    Fact,
    type=_texts,
    version=st.integers(1, 9),
    writer=_texts,
    sequence=st.integers(0, 99),
    time=st.builds(HybridTime, st.integers(0, LIMIT), st.integers(0, 9)),
    seen=st.dictionaries(_texts, st.integers(0, 99).map(lambda n: f"{n}:{HEAD}"), max_size=2),
    cause=st.lists(_texts, max_size=2).map(tuple),
    actor=_texts,
    body=st.dictionaries(_texts, _bodies, max_size=3),
)


@settings(deadline=None)
@given(_facts)
def test_the_bytes_tell_what_the_fact_tells(fact: Fact) -> None:
    assert outline(fact.encoded()) == outline_of(fact)


@settings(deadline=None)
@given(_facts, st.randoms(use_true_random=False))
def test_members_in_another_order_tell_the_same(fact: Fact, chance: object) -> None:
    members = list(fact.as_json().items())
    chance.shuffle(members)  # type: ignore[attr-defined]
    assert outline(orjson.dumps(dict(members))) == outline_of(fact)


@pytest.mark.parametrize("line", [b"", b"{}", b"[", b'{"envelope":1}'])
def test_what_is_no_fact_has_no_outline(line: bytes) -> None:
    with pytest.raises(ValueError):
        outline(line)


Logs = dict[str, list[Outline]]
_logs = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5), max_size=2),
        ),
        max_size=7,
    ),
    min_size=1,
).map(
    lambda logs: {
        name: [(wall, {o: n for o, n in seen.items() if o != name}) for wall, seen in log]
        for name, log in logs.items()
    }
)


def _by_definition(logs: Logs) -> list[Place]:
    """Each time over the causal past, again and again until no entry gets one; then sorted."""
    times: dict[tuple[str, int], HybridTime] = {}
    moved = True
    while moved:
        moved = False
        for writer, log in logs.items():
            for sequence, (wall, seen) in enumerate(log):
                past = [(other, size - 1) for other, size in seen.items() if size]
                past += [(writer, sequence - 1)] if sequence else []
                if (writer, sequence) not in times and all(one in times for one in past):
                    time = max([BEGINNING, *(times[one] for one in past)]).next(wall)
                    times[writer, sequence], moved = time, True
    return sorted(Place(*time, *entry) for entry, time in times.items())


class _Given:
    """What a ledger keeps of what was given to it."""

    def __init__(self, logs: Logs) -> None:
        self.folded = dict.fromkeys(logs, 0)
        self.times: dict[tuple[str, int], HybridTime] = {}

    def take(self, logs: Logs) -> list[Place]:
        """Of these beginnings of the logs, what was not given yet."""
        waiting = {
            writer: iter(
                [
                    (one, (writer, sequence))
                    for sequence, one in enumerate(log)
                    if sequence >= self.folded[writer]
                ]
            )
            for writer, log in logs.items()
        }
        places = []
        for place, item in in_order(waiting, self.folded, lambda *entry: self.times[entry]):
            assert item == (place.writer, place.sequence)
            self.times[item] = place.time
            places.append(place)
        return places


@given(_logs, st.booleans())
def test_entries_come_in_the_order_that_is_defined(logs: Logs, remembers: bool) -> None:
    """However few times are kept in memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "KEPT", 1_000 if remembers else 1)
        ledger, expected = _Given(logs), _by_definition(logs)
        assert ledger.take(logs) == expected
    for writer in logs:
        assert ledger.folded[writer] == sum(place.writer == writer for place in expected)


@given(_logs, st.data())
def test_places_are_the_same_however_the_logs_come(logs: Logs, data: st.DataObject) -> None:
    ledger = _Given(logs)
    sizes = dict.fromkeys(logs, 0)
    found: list[Place] = []
    for _ in range(3):
        for writer, log in logs.items():
            sizes[writer] = data.draw(st.integers(sizes[writer], len(log)))
        came = ledger.take({writer: log[: sizes[writer]] for writer, log in logs.items()})
        assert came == sorted(came)
        found += came
    found += ledger.take(logs)
    assert sorted(found) == _by_definition(logs)
