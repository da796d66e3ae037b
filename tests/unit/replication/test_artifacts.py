"""Artifacts through meeting stores: packed, ranged, verified."""

import io
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.domain.artifact import object_key
from freehold.domain.errors import StorageFailed, Unreachable
from freehold.ports.object_store import Moved, MovesFiles
from freehold.replication import fetching, pack, sending
from freehold.replication.digests import hexadecimal, hexadecimals
from freehold.replication.fault import NotBelieved
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.holdings import what_store_has
from freehold.replication.layout import pack_index_key, pack_key
from freehold.replication.pack import (
    MEMBERS_LIMIT,
    TAIL,
    decode_directory,
    directory_range,
    encode_pack,
)
from freehold.replication.sending import publish_artifacts


def digest_of(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


def filled(*contents: bytes) -> MemoryObjectStore:
    store = MemoryObjectStore()
    for data in contents:
        store.put(object_key(digest_of(data)), data)
    return store


def contents(count: int, size: int = 100) -> list[bytes]:
    return [f"{number} ".encode() * (size // 4) for number in range(count)]


def content_of(store: MemoryObjectStore) -> set[bytes]:
    return {store.get(key) for key in store.keys("artifacts/")}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs of a few kilobytes, so that a few artifacts fill several."""
    monkeypatch.setattr(sending, "PACK_TARGET", 2_000)
    monkeypatch.setattr(fetching, "_GAP", 50)


def test_a_pack_is_a_zip_that_others_read() -> None:
    data = contents(20)
    members = [(sha256(one).hexdigest(), one) for one in data]
    digest, archive, index = encode_pack(members)
    assert sha256(archive).hexdigest() == digest
    assert encode_pack(reversed(members)) == (digest, archive, index)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == sorted(name for name, _ in members)
        assert {opened.read(name) for name in opened.namelist()} == set(data)
    places = read(archive)
    for name, offset, size in places:
        assert sha256(archive[offset : offset + size]).hexdigest() == name
    indexed = pl.read_parquet(io.BytesIO(index))
    assert indexed.columns == ["digest", "offset", "size"]
    assert indexed.rows() == places, "the index says the same, for SQL"


def read(archive: bytes) -> list[tuple[str, int, int]]:
    start, stop = directory_range(archive[-TAIL:], len(archive))
    places = decode_directory(archive[start:stop], start)
    digests = hexadecimals(places["digest"])
    return list(zip(digests, places["offset"].tolist(), places["size"].tolist(), strict=True))


@given(st.binary(max_size=300))
def test_any_bytes_are_no_pack(data: bytes) -> None:
    with pytest.raises(NotBelieved):
        read(data)


MEMBERS = [(sha256(one).hexdigest(), one) for one in contents(3)]
PACK = encode_pack(MEMBERS)[1]


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=1000, deadline=None)
def test_a_damaged_pack_is_refused_or_leads_nowhere_else(changes: list[tuple[int, int]]) -> None:
    archive = bytearray(PACK)
    for back, value in changes:
        archive[-1 - back % len(archive)] = value
    try:
        places = read(bytes(archive))
    except NotBelieved:
        return
    assert len(places) == len(MEMBERS)
    assert all(at >= 0 and at + size <= len(PACK) for _, at, size in places)


def test_every_single_changed_byte_is_refused_or_stands() -> None:
    refused = 0
    for at in range(len(PACK) - 22 - 3 * 110, len(PACK)):
        for value in {0, 1, 127, 128, 255, PACK[at] ^ 1} - {PACK[at]}:
            try:
                read(PACK[:at] + bytes([value]) + PACK[at + 1 :])
            except NotBelieved:
                refused += 1
    assert refused > 1000


def entry(**changes: int | bytes) -> bytes:
    """A directory of one artifact, changed."""
    start, stop = directory_range(pack_of_one := encode_pack(MEMBERS[:1])[1], len(pack_of_one))
    rows = np.frombuffer(pack_of_one[start:stop], pack._ENTRY).copy()
    for field, value in changes.items():
        rows[field] = value
    return rows.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": b"0" * 63},
        {"name": b"0" * 63 + b"\n"},
        {"name": b"0" * 63 + b"A"},
        {"name_length": 63},
        {"extra_length": 1},
        {"comment_length": 1},
        {"method": 8},
        {"flags": 1},
        {"disk": 1},
        {"header": 2**32 - 1},
        {"size": 2**20 + 1, "packed": 2**20 + 1},
        {"size": 1},
        {"size": 2**32 - 1, "packed": 2**32 - 1},
        {"signature": 0},
    ],
    ids=str,
)
def test_a_directory_that_claims_what_no_pack_holds_is_refused(changes: dict[str, Any]) -> None:
    far = 2**25
    assert len(decode_directory(entry(), far)) == 1
    with pytest.raises(NotBelieved):
        decode_directory(entry(**changes), far)


def test_more_artifacts_than_a_pack_holds_are_refused() -> None:
    count = MEMBERS_LIMIT + 1
    end = pack._END.pack(0x06054B50, 0, 0, count & 0xFFFF, count & 0xFFFF, count * 110, 0, 0)
    with pytest.raises(NotBelieved, match="50001 artifacts"):
        directory_range(end, count * 110 + 22)


@given(st.text())
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        hexadecimal(text)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("count", [0, 1, 3, 4, 100])
def test_artifacts_travel(count: int) -> None:
    data = contents(count)
    store, target = MemoryObjectStore(), MemoryObjectStore()
    moved: list[int] = []
    sent = publish_artifacts(map(digest_of, data), filled(*data), store, moved=moved.append)
    assert (sent.artifacts, sent.missing, sent.corrupt) == (count, (), ())
    assert sent.bytes == sum(moved) == sum(map(len, data))
    assert sent.packs == (0 if count < 4 else 1 if count == 4 else 4)
    assert what_store_has(store).digests == set(map(digest_of, data))
    fetched = fetch_artifacts(map(digest_of, data), {"s": store}, target)
    assert tuple(fetched.got) == tuple(sorted(map(digest_of, data)))
    assert (fetched.missing, fetched.corrupt, fetched.faults) == ((), (), ())
    assert content_of(target) == set(data)


def test_what_is_there_is_not_sent_again(counting: MemoryObjectStore) -> None:
    data = contents(50)
    objects, digests = filled(*data), [digest_of(one) for one in data]
    publish_artifacts(digests, objects, counting)
    known = what_store_has(counting)
    counting.puts = counting.bodies = counting.listings = 0  # type: ignore[attr-defined]
    sent = publish_artifacts(digests, objects, counting, holdings=what_store_has(counting, known))
    assert sent.artifacts == 0
    assert vars(counting)["puts"] == vars(counting)["bodies"] == 0
    assert vars(counting)["listings"] == 2
    more = contents(60)
    assert publish_artifacts(map(digest_of, more), filled(*more), counting).artifacts == 10
    assert publish_artifacts(digests, objects, counting, anew=True).artifacts == 50


def test_missing_and_corrupt_ones_are_not_sent() -> None:
    data = contents(6)
    objects = filled(*data[:5])
    objects.put(object_key(digest_of(data[0])), b"other")
    sent = publish_artifacts(map(digest_of, data), objects, store := MemoryObjectStore())
    assert sent.missing == (digest_of(data[5]),)
    assert sent.corrupt == (digest_of(data[0]),)
    assert what_store_has(store).digests == set(map(digest_of, data[1:5]))


@pytest.mark.usefixtures("small")
def test_of_a_pack_only_what_is_wanted_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "PACK_TARGET", 10_000_000)
    read: list[int] = []

    class Measuring(MemoryObjectStore):
        def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
            data = super().get(key, start, stop)
            read.append(len(data) if key.endswith(".zip") else 0)
            return data

    data = contents(200, 4000)
    publish_artifacts(map(digest_of, data), filled(*data), store := Measuring())
    fetch_artifacts([digest_of(data[7]), digest_of(data[90])], {"s": store}, MemoryObjectStore())
    assert TAIL < sum(read) < TAIL + 20_000
    read.clear()
    fetch_artifacts(map(digest_of, data[:150]), {"s": store}, MemoryObjectStore())
    assert len([size for size in read if size]) == 2, "its end, and most of it in one go"


def test_a_directory_longer_than_what_is_read_first_is_read_whole() -> None:
    data = contents(TAIL // 110 + 2, 8)
    publish_artifacts(map(digest_of, data), filled(*data), store := MemoryObjectStore())
    assert len(what_store_has(store).packs) == 1
    assert what_store_has(store).digests == set(map(digest_of, data))


@pytest.mark.usefixtures("small")
def test_nothing_corrupt_is_kept_and_another_copy_is_taken() -> None:
    data = contents(40)
    digests = [digest_of(one) for one in data]
    first, second = MemoryObjectStore(), MemoryObjectStore()
    publish_artifacts(digests, filled(*data), first)
    publish_artifacts(digests[:20], filled(*data), second)
    for key in list(first.keys("packs/")):
        if key.endswith(".zip"):
            archive = first.get(key)
            start, _ = directory_range(archive[-TAIL:], len(archive))
            first.put(key, bytes(start) + archive[start:])
    target = MemoryObjectStore()
    fetched = fetch_artifacts([*digests, digest_of(b"?")], {"a": first, "b": second}, target)
    assert set(fetched.got) == set(digests[:20])
    assert set(fetched.corrupt) == set(digests[20:])
    assert fetched.missing == (digest_of(b"?"),)
    assert {(fault.store, fault.kind) for fault in fetched.faults} == {("a", "artifact.corrupt")}
    assert content_of(target) == set(data[:20])
    assert publish_artifacts(fetched.corrupt, filled(*data), first, anew=True).artifacts == 20
    assert tuple(fetch_artifacts(fetched.corrupt, {"a": first}, target).got) == fetched.corrupt


def test_of_two_packs_the_one_that_holds_it_is_used() -> None:
    data = contents(5)
    digests = [digest_of(one) for one in data]
    publish_artifacts(digests, filled(*data), store := MemoryObjectStore())
    publish_artifacts(digests[:4], filled(*data), store, anew=True)
    publish_artifacts(digests[:2], filled(*data), store, anew=True)
    packs = [key for key in store.keys("packs/") if key.endswith(".zip")]
    assert len(packs) == 2
    for spoiled in packs:
        whole = store.get(spoiled)
        store.put(spoiled, b"")
        fetched = fetch_artifacts(digests[:4], {"s": store}, MemoryObjectStore())
        assert tuple(fetched.got) == tuple(sorted(digests[:4]))
        store.put(spoiled, whole)
    for spoiled in packs:
        store.put(spoiled, b"")
    fetched = fetch_artifacts(digests[:4], {"s": store}, MemoryObjectStore())
    assert tuple(fetched.got) == tuple(sorted(digests[:2])), "they lie there by themselves, too"


def test_a_pack_that_lies_or_is_half_gone_counts_as_absent() -> None:
    data = contents(30)
    publish_artifacts(map(digest_of, data), filled(*data), store := MemoryObjectStore())
    (pack_digest,) = what_store_has(store).packs
    archive = store.get(pack_key(pack_digest))
    store.put(pack_key(pack_digest), archive[:-5])
    known = what_store_has(store, name="s")
    assert known.digests == frozenset()
    assert [(fault.kind, fault.digest) for fault in known.faults] == [
        ("pack.corrupt", f"sha256:{pack_digest}")
    ]
    assert what_store_has(store, known).faults == known.faults
    store.put(pack_key(pack_digest), archive)
    store.delete(pack_index_key(pack_digest))
    assert len(what_store_has(store).digests) == 30
    store.delete(pack_key(pack_digest))
    assert what_store_has(store, known).digests == frozenset()
    assert what_store_has(store, known).faults == ()


def test_a_pack_that_vanishes_is_a_fault() -> None:
    data = contents(30)
    publish_artifacts(map(digest_of, data), filled(*data), store := MemoryObjectStore())
    known = what_store_has(store)
    for key in list(store.keys()):
        store.delete(key)
    fetched = fetch_artifacts(
        map(digest_of, data), {"s": store}, MemoryObjectStore(), holdings={"s": known}
    )
    assert len(fetched.missing) == 30
    assert [fault.kind for fault in fetched.faults] == ["pack.missing"]


def test_a_store_that_does_not_answer_is_passed_over() -> None:
    class Cut(MemoryObjectStore):
        def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
            raise Unreachable("the store does not answer")

    data = contents(3)
    publish_artifacts(map(digest_of, data), filled(*data), store := MemoryObjectStore())
    fetched = fetch_artifacts(map(digest_of, data), {"a": Cut(), "b": store}, MemoryObjectStore())
    assert len(fetched.got) == 3
    assert [(fault.store, fault.kind) for fault in fetched.faults] == [("a", "unreachable")]


def test_a_full_disk_of_ones_own_is_raised() -> None:
    class Full(MemoryObjectStore):
        def put(self, key: str, data: bytes) -> None:
            raise StorageFailed("the disk is full", code="storage.full")

    data = contents(30)
    publish_artifacts(map(digest_of, data), filled(*data), store := MemoryObjectStore())
    with pytest.raises(StorageFailed):
        fetch_artifacts(map(digest_of, data), {"s": store}, Full())


class Filing(MemoryObjectStore, MovesFiles):
    def upload(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        self.put(key, path.read_bytes())

    def download(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        path.write_bytes(self.get(key))
        moved(path.stat().st_size)


@pytest.mark.parametrize("files", [True, False])
def test_large_ones_travel_by_themselves(files: bool, tmp_path: Path) -> None:
    data = [bytes([number]) * 9_000_000 for number in range(3)]
    digests = [digest_of(one) for one in data]
    store = Filing() if files else MemoryObjectStore()
    objects = filled(*data)
    objects.put(object_key(digests[2]), data[2][:-1])
    sent = publish_artifacts(digests, objects, store)
    assert (sent.artifacts, sent.packs, sent.corrupt) == (2, 0, (digests[2],))
    store.put(object_key(digests[1]), data[1][:-1])
    target = Filing()
    fetched = fetch_artifacts(digests, {"s": store}, target, scratch=tmp_path)
    assert (tuple(fetched.got), fetched.corrupt) == ((digests[0],), (digests[1],))
    assert fetched.missing == (digests[2],)
    assert content_of(target) == {data[0]}
    assert list(tmp_path.iterdir()) == []


@given(
    wanted=st.sets(st.integers(0, 29)),
    damage=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3000), st.booleans()), max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_whatever_a_store_does_only_true_bytes_arrive(
    wanted: set[int], damage: list[tuple[int, int, bool]]
) -> None:
    data = contents(30)
    store, target = MemoryObjectStore(), MemoryObjectStore()
    for part in (data[:10], data[10:20], data[18:]):
        publish_artifacts(map(digest_of, part), filled(*data), store)
    keys = list(store.keys())
    for number, at, cut in damage:
        key = keys[number % len(keys)]
        whole = store.get(key) or b"?"
        at %= len(whole)
        store.put(key, whole[:at] if cut else whole[:at] + b"\xff" + whole[at + 1 :])
    digests = {digest_of(data[number]) for number in wanted}
    fetched = fetch_artifacts(digests, {"s": store}, target)
    assert {digest_of(one) for one in content_of(target)} == set(fetched.got)
    assert {*fetched.got, *fetched.missing, *fetched.corrupt} == digests
    assert len(fetched.got) + len(fetched.missing) + len(fetched.corrupt) == len(digests)
    if not damage:
        assert set(fetched.got) == digests
