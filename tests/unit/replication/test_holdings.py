"""What stores have, in packs that hold the same artifacts again, and by themselves."""

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.app.site.watching import size_to_fetch, size_to_leave
from freehold.domain.artifact import object_key
from freehold.replication import fetching, holdings
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.holdings import what_store_has
from freehold.replication.layout import pack_index_key, pack_key
from freehold.replication.pack import encode_pack

DATA = [bytes([at]) * (at + 1) for at in range(12)]
DIGESTS = [f"sha256:{sha256(one).hexdigest()}" for one in DATA]
SIZES = dict(zip(DIGESTS, map(len, DATA), strict=True))
_some = st.sets(st.integers(0, len(DATA) - 1))
_stores = st.lists(st.tuples(_some, st.lists(_some.filter(bool), max_size=4)), max_size=2)


def holding(alone: set[int], packs: list[set[int]]) -> MemoryObjectStore:
    store = MemoryObjectStore()
    for at in alone:
        store.put(object_key(DIGESTS[at]), DATA[at])
    for one in packs:
        members = sorted((DIGESTS[at].removeprefix("sha256:"), DATA[at]) for at in one)
        digest, archive, index = encode_pack(members)
        store.put(pack_index_key(digest), index)
        store.put(pack_key(digest), archive)
    return store


@settings(deadline=None)
@given(_stores, _some, st.sampled_from([1, 3, 20_000]), st.sampled_from([1, 1024]))
def test_all_that_some_store_has_is_found_and_comes(
    stores: Any, asked: set[int], rows: int, window: int
) -> None:
    wanted = [DIGESTS[at] for at in sorted(asked)]
    have = [{DIGESTS[at] for at in alone.union(*packs)} for alone, packs in stores]
    there = set(wanted).intersection(set().union(*have))
    made = {str(at): holding(*one) for at, one in enumerate(stores)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holdings, "_ROWS", rows)
        patch.setattr(fetching, "_ALONE", window)
        size, found = size_to_fetch(wanted, made)
        assert size == sum(SIZES[one] for one in there)
        own = MemoryObjectStore()
        fetched = fetch_artifacts(wanted, made, own, holdings=found)
    assert set(fetched.got) == there and set(fetched.missing) == {*wanted} - there
    assert (fetched.corrupt, fetched.faults, fetched.bytes) == ((), (), size)
    assert all(own.get(object_key(one)) == DATA[DIGESTS.index(one)] for one in there)
    for store, has in zip(made.values(), have, strict=True):
        lacks = sum(SIZES[one] for one in there - has)
        assert size_to_leave(wanted, own, what_store_has(store)) == lacks
