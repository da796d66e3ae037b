"""Names in a meeting store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.replication.layout import (
    HeadName,
    SegmentName,
    heads_above,
    pack_key,
    pack_of,
    writers,
)

DIGEST = "0" * 63 + "f"


@given(
    st.integers(0, 10**15),
    st.integers(1, 10**6),
    st.text("0123456789abcdef", min_size=64, max_size=64),
)
def test_names_are_read_as_they_were_written(first: int, count: int, digest: str) -> None:
    segment = SegmentName("a-1.2", first, first + count, digest)
    head = HeadName("a-1.2", first, digest)
    assert SegmentName.parse(segment.key) == segment
    assert HeadName.parse(head.key) == head
    assert pack_of(pack_key(digest)) == digest


@given(st.text())
def test_any_text_is_a_name_or_none(text: str) -> None:
    assert all(parse(text) is None for parse in (SegmentName.parse, HeadName.parse, pack_of))


@pytest.mark.parametrize(
    "key",
    [
        f"logs/a/segments/{5:016d}-{5:016d}-{DIGEST}.jsonl.gz",
        f"logs/a/segments/{9:016d}-{5:016d}-{DIGEST}.jsonl.gz",
        f"logs/a/segments/{0:015d}-{5:016d}-{DIGEST}.jsonl.gz",
        f"logs/../segments/{0:016d}-{5:016d}-{DIGEST}.jsonl.gz",
        f"logs/a/b/segments/{0:016d}-{5:016d}-{DIGEST}.jsonl.gz",
        f"logs/a/segments/{0:016d}-{5:016d}-{DIGEST.upper()}.jsonl.gz",
        f"logs/a/segments/٠{0:015d}-{5:016d}-{DIGEST}.jsonl.gz",
        f"logs/a/segments/{0:016d}-{5:016d}-{DIGEST}.jsonl.gz\n",
    ],
)
def test_what_is_nearly_a_segment_is_none(key: str) -> None:
    assert SegmentName.parse(key) is None


@given(st.lists(st.integers(0, 10**6), unique=True), st.integers(0, 10**6))
def test_listing_after_a_size_gives_the_greater_ones(sizes: list[int], above: int) -> None:
    store = MemoryObjectStore()
    for size in sizes:
        store.put(HeadName("a", size, DIGEST).key, b"")
    found = map(HeadName.parse, store.keys("logs/a/heads/", heads_above("a", above)))
    assert [name.size for name in found if name] == sorted(s for s in sizes if s > above)


def test_writers_are_found_whatever_stands_between_them() -> None:
    store = MemoryObjectStore()
    for name in ("a", "a-b", "a.2", "b"):
        store.put(f"logs/{name}/site.pub", b"")
        store.put(HeadName(name, 3, DIGEST).key, b"")
    store.put("logs/stray", b"")
    store.put("logs/c/heads/x", b"")
    store.put("logs/c/zzz", b"")
    store.put("packs/x", b"")
    assert sorted(writers(store)) == ["a", "a-b", "a.2", "b", "c"]
