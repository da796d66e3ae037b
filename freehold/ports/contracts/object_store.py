"""The contract of an object store: one test per law of the port, in suites by subject.

A store's test class inherits ObjectStoreContract and the suite of each ability that it has.
"""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from freehold.ports.contracts.object_store_abilities import (
    WRITERS,
    ComparesAndSetsContract,
    CreatesOnceContract,
    LocalPathsContract,
    MovesFilesContract,
    PutsTogetherContract,
    SignsUrlsContract,
    StoreSuite,
)
from freehold.ports.object_store import (
    ComparesAndSets,
    CreatesOnce,
    LocalPaths,
    MovesFiles,
    PutsTogether,
    SignsUrls,
)

_BAD_KEYS = ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a b", "a\\b", "ä", "a\n", "~a"]
_SUITES: dict[type, type] = {
    LocalPaths: LocalPathsContract,
    MovesFiles: MovesFilesContract,
    PutsTogether: PutsTogetherContract,
    CreatesOnce: CreatesOnceContract,
    ComparesAndSets: ComparesAndSetsContract,
    SignsUrls: SignsUrlsContract,
}


class ObjectsContract(StoreSuite):
    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
    def test_what_was_put_is_got(self, store: Any, data: bytes) -> None:
        store.put("a/b-c/d_e.f=g", data)
        assert store.get("a/b-c/d_e.f=g") == data
        assert store.size("a/b-c/d_e.f=g") == len(data)

    @pytest.mark.parametrize("key", _BAD_KEYS)
    def test_what_is_not_a_key_is_refused(self, store: Any, key: str) -> None:
        with pytest.raises(ValueError, match="not a key"):
            store.put(key, b"")
        for use in (store.get, store.size):
            with pytest.raises(ValueError, match="not a key"):
                use(key)
        with pytest.raises(ValueError, match="not a key"):
            store.delete(key)

    @pytest.mark.parametrize("key", ["...", ".a", "a.", "a..b", "..a/b", "=", "-"])
    def test_dots_and_signs_make_keys(self, store: Any, key: str) -> None:
        store.put(key, b"1")
        assert list(store.keys()) == [key]

    def test_putting_again_replaces(self, store: Any) -> None:
        store.put("a", b"a long old value")
        store.put("a", b"new")
        assert store.get("a") == b"new"
        assert list(store.keys()) == ["a"]

    def test_an_absent_key(self, store: Any) -> None:
        store.put("folder/b", b"1")
        for key in ("a", "folder", "folder/b/c"):
            with pytest.raises(KeyError):
                store.get(key)
            assert store.size(key) is None
            store.delete(key)
        assert store.get("folder/b") == b"1"

    def test_what_was_deleted_is_absent(self, store: Any) -> None:
        store.put("a", b"1")
        store.delete("a")
        assert store.size("a") is None
        assert list(store.keys()) == []

    def test_it_stands_when_opened_again(self, tmp_path: Path) -> None:
        self.make(tmp_path / "objects").put("a/b", b"1")
        assert self.make(tmp_path / "objects").get("a/b") == b"1"


class RangesContract(StoreSuite):
    @pytest.fixture
    def ten(self, store: Any) -> Any:
        store.put("ten", b"0123456789")
        store.put("empty", b"")
        return store

    @pytest.mark.parametrize(
        ("start", "stop"), [(0, 1), (0, 10), (2, 5), (9, 10), (3, None), (9, None), (0, None)]
    )
    def test_a_range_inside(self, ten: Any, start: int, stop: int | None) -> None:
        assert ten.get("ten", start, stop) == b"0123456789"[start:stop]

    @pytest.mark.parametrize(
        ("start", "stop"), [(0, 11), (8, 99), (10, 11), (10, None), (50, 60), (50, None), (5, 5)]
    )
    def test_a_range_beyond_the_end(self, ten: Any, start: int, stop: int | None) -> None:
        assert ten.get("ten", start, stop) == b"0123456789"[start:stop]

    @pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 5), (3, None), (3, 5), (0, 0)])
    def test_a_range_of_nothing(self, ten: Any, start: int, stop: int | None) -> None:
        assert ten.get("empty", start, stop) == b""

    @pytest.mark.parametrize(("start", "stop"), [(0, 5), (3, None), (3, 5), (5, 5)])
    def test_a_range_of_an_absent_object(self, ten: Any, start: int, stop: int | None) -> None:
        with pytest.raises(KeyError):
            ten.get("absent", start, stop)

    def test_ranges_make_the_whole(self, store: Any) -> None:
        data = bytes(range(256)) * 1000
        store.put("a", data)
        cuts = [0, 1, 65_536, 100_000, 255_999, 256_000]
        parts = [store.get("a", start, stop) for start, stop in itertools.pairwise(cuts)]
        assert b"".join(parts) == data


class ListingContract(StoreSuite):
    few_keys = 2500
    many_keys = 12_000

    def test_keys_come_sorted(self, store: Any) -> None:
        keys = ["b", "a/c", "a-b", "a.b", "a/b/d", "aa", "a0/x", "a=b", "A", "a/b.c"]
        for key in keys:
            store.put(key, b"")
        assert list(store.keys()) == sorted(keys)

    def test_keys_of_a_prefix(self, store: Any) -> None:
        for key in ("a/b", "a/bc/d", "a/c", "ab", "b"):
            store.put(key, b"")
        assert list(store.keys("a/b")) == ["a/b", "a/bc/d"]
        assert list(store.keys("a")) == ["a/b", "a/bc/d", "a/c", "ab"]
        assert list(store.keys("a/bc/")) == ["a/bc/d"]
        assert list(store.keys("c")) == []

    def test_keys_after_a_key(self, store: Any) -> None:
        keys = ["A", "a-b", "a.b", "a/b.c", "a/b/d", "a/b/e", "a/c", "a0/x", "a=b", "aa", "b"]
        prefixes = ["", "a", "a/", "a/b", "a/b/", "a0/", "aa", "b", "A", "c"]
        for key in keys:
            store.put(key, b"")
        for prefix, after in itertools.product(prefixes, [*prefixes, "-", "a/b/d", "a/z", "a0"]):
            wanted = [key for key in sorted(keys) if key.startswith(prefix) and key > after]
            assert list(store.keys(prefix, after)) == wanted, (prefix, after)

    def test_keys_by_pages(self, store: Any) -> None:
        self._by_pages(store, self.few_keys)

    @pytest.mark.long
    def test_many_keys_by_pages(self, store: Any) -> None:
        self._by_pages(store, self.many_keys)

    def _by_pages(self, store: Any, count: int) -> None:
        keys = [f"pages/{number % 7}/{number:05d}" for number in range(count)]
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda key: store.put(key, b""), keys))
        keys.sort()
        assert list(store.keys()) == keys
        assert next(store.keys()) == keys[0]
        third = count // 3
        assert list(store.keys("pages/", keys[third])) == keys[third + 1 :]
        assert list(store.keys("pages/3/")) == [key for key in keys if key[6] == "3"]

    def test_what_is_put_and_deleted_meanwhile_disturbs_no_listing(self, store: Any) -> None:
        keys = [f"stay/{number:03d}" for number in range(30)]
        for key in keys:
            store.put(key, b"")
        listing = store.keys("stay/")
        seen = [next(listing)]
        store.put("stay/999", b"")
        store.put("stay/000-early", b"")
        store.delete("stay/020")
        seen += listing
        assert seen == sorted(seen)
        assert set(keys) - {"stay/020"} <= set(seen)


class ConcurrencyContract(StoreSuite):
    def test_a_reader_never_sees_half_an_object(self, store: Any) -> None:
        values = {bytes([65 + number]) * (20_000 + number) for number in range(WRITERS)}
        store.put("a", next(iter(values)))
        done = threading.Event()

        def write(value: bytes) -> None:
            for _ in range(8):
                store.put("a", value)

        def read() -> int:
            count = 0
            while not done.is_set() or count == 0:
                assert store.get("a") in values
                assert store.size("a") in {len(value) for value in values}
                count += 1
            return count

        with ThreadPoolExecutor(WRITERS + 1) as pool:
            reader = pool.submit(read)
            writers = [pool.submit(write, value) for value in values]
            for writer in writers:
                writer.result()
            done.set()
            assert reader.result() > 0
        assert store.get("a") in values

    def test_writers_of_different_keys_do_not_meet(self, store: Any) -> None:
        keys = [f"shared/{number % 3}/{number}" for number in range(60)]
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda key: store.put(key, key.encode()), keys))
        assert list(store.keys()) == sorted(keys)
        assert all(store.get(key) == key.encode() for key in keys)


class ObjectStoreContract(ObjectsContract, RangesContract, ListingContract, ConcurrencyContract):
    """What every object store must pass."""

    def test_each_of_its_abilities_has_its_suite(self, store: Any) -> None:
        for ability, suite in _SUITES.items():
            assert isinstance(store, ability) == isinstance(self, suite), ability.__name__
