"""What the place of an entry depends on is found in its bytes, whatever its texts hold."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain import ordering
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import LIMIT, HybridTime
from freehold.domain.ordering import Outline, outline, outline_of, settle

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


_logs = st.dictionaries(
    st.sampled_from("abc"),
    st.lists(
        st.tuples(st.integers(0, 9), st.dictionaries(st.sampled_from("abc"), st.integers(1, 4))),
        max_size=6,
    ),
)


def _settled(logs: dict[str, list[Outline]]) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    times: dict[tuple[str, int], HybridTime] = {}
    folded = dict.fromkeys(logs, 0)
    waiting = {
        name: iter([(wall, {o: n for o, n in seen.items() if o != name}) for wall, seen in log])
        for name, log in logs.items()
    }
    for page in settle(waiting, folded, lambda writer, sequence: times[writer, sequence]):
        times.update({(place.writer, place.sequence): place.time for place in page})
    return sorted((*time, *at) for at, time in times.items()), folded


@settings(deadline=None)
@given(_logs)
def test_places_are_the_same_however_few_are_kept_in_memory(logs: dict[str, list[Outline]]) -> None:
    whole = _settled(logs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "PAGE", 1)
        assert _settled(logs) == whole
    assert sum(whole[1].values()) == len(whole[0])
