"""The contract of an object store: one test per law of the port."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from freehold.domain.errors import StorageFailed
from freehold.ports.object_store import LocalPaths, ObjectStore

_BAD_KEYS = ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a b", "a\\b", "ä", "a\n", "~a"]


class ObjectStoreContract(ABC):
    """Override `make` and `full`."""

    @abstractmethod
    def make(self, folder: Path) -> ObjectStore:
        """A store; of the same folder, the same objects, if it is durable."""

    @abstractmethod
    def full(self, store: ObjectStore) -> AbstractContextManager[None]:
        """Within it, the store has no room for a megabyte."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ObjectStore]:
        yield self.make(tmp_path / "objects")

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
    def test_what_was_put_is_got(self, store: ObjectStore, data: bytes) -> None:
        store.put("a/b-c/d_e.f=g", data)
        assert store.get("a/b-c/d_e.f=g") == data
        assert store.size("a/b-c/d_e.f=g") == len(data)

    @pytest.mark.parametrize("key", _BAD_KEYS)
    def test_what_is_not_a_key_is_refused(self, store: ObjectStore, key: str) -> None:
        for use in (lambda: store.put(key, b""), lambda: store.get(key), lambda: store.size(key)):
            with pytest.raises(ValueError, match="not a key"):
                use()
        with pytest.raises(ValueError, match="not a key"):
            store.delete(key)

    @pytest.mark.parametrize("key", ["...", ".a", "a.", "a..b", "..a/b", "=", "-"])
    def test_dots_and_signs_make_keys(self, store: ObjectStore, key: str) -> None:
        store.put(key, b"1")
        assert list(store.keys()) == [key]

    def test_putting_again_replaces(self, store: ObjectStore) -> None:
        store.put("a", b"a long old value")
        store.put("a", b"new")
        assert store.get("a") == b"new"
        assert list(store.keys()) == ["a"]

    def test_an_absent_key(self, store: ObjectStore) -> None:
        store.put("folder/b", b"1")
        for key in ("a", "folder", "folder/b/c"):
            with pytest.raises(KeyError):
                store.get(key)
            assert store.size(key) is None
            store.delete(key)
        assert store.get("folder/b") == b"1"

    def test_what_was_deleted_is_absent(self, store: ObjectStore) -> None:
        store.put("a", b"1")
        store.delete("a")
        assert store.size("a") is None
        assert list(store.keys()) == []

    def test_keys_come_sorted(self, store: ObjectStore) -> None:
        keys = ["b", "a/c", "a-b", "a.b", "a/b/d", "aa", "a0/x", "a=b", "A", "a/b.c"]
        for key in keys:
            store.put(key, b"")
        assert list(store.keys()) == sorted(keys)

    def test_keys_of_a_prefix(self, store: ObjectStore) -> None:
        for key in ("a/b", "a/bc/d", "a/c", "ab", "b"):
            store.put(key, b"")
        assert list(store.keys("a/b")) == ["a/b", "a/bc/d"]
        assert list(store.keys("a")) == ["a/b", "a/bc/d", "a/c", "ab"]
        assert list(store.keys("a/bc/")) == ["a/bc/d"]
        assert list(store.keys("c")) == []

    def test_a_full_store_keeps_the_old_object(self, store: ObjectStore) -> None:
        store.put("a", b"old")
        with self.full(store):
            for key in ("a", "b"):
                with pytest.raises(StorageFailed) as caught:
                    store.put(key, b"x" * 2**20)
                assert caught.value.code == "storage.full"
        assert store.get("a") == b"old"
        assert list(store.keys()) == ["a"]
        store.put("a", b"room again")
        assert store.get("a") == b"room again"

    def test_a_reader_never_sees_half_an_object(self, store: ObjectStore) -> None:
        values = {bytes([65 + number]) * (20_000 + number) for number in range(12)}
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

        with ThreadPoolExecutor(13) as pool:
            reader = pool.submit(read)
            writers = [pool.submit(write, value) for value in values]
            for writer in writers:
                writer.result()
            done.set()
            assert reader.result() > 0
        assert store.get("a") in values

    def test_writers_of_different_keys_do_not_meet(self, store: ObjectStore) -> None:
        keys = [f"shared/{number % 3}/{number}" for number in range(60)]
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda key: store.put(key, key.encode()), keys))
        assert list(store.keys()) == sorted(keys)
        assert all(store.get(key) == key.encode() for key in keys)

    def test_it_stands_when_opened_again(self, tmp_path: Path) -> None:
        self.make(tmp_path / "objects").put("a/b", b"1")
        assert self.make(tmp_path / "objects").get("a/b") == b"1"

    def test_local_paths_hold_the_bytes(self, store: ObjectStore) -> None:
        if isinstance(store, LocalPaths):
            store.put("a/b", b"1")
            assert store.path("a/b").read_bytes() == b"1"
            for absent in ("a", "c"):
                with pytest.raises(KeyError):
                    store.path(absent)
