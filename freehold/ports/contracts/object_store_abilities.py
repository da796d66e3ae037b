"""The contracts of what not every object store can do: one suite for each ability of the port."""

import hashlib
import os
import resource
import threading
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from freehold.domain.errors import StorageFailed
from freehold.ports.object_store import ObjectStore

WRITERS = 12
_MEGABYTE = 2**20
_REPLACEMENTS = 4
_GROWTH = 64 * _MEGABYTE
"""Bytes that this process may have more while it moves a file of five times the size: a client
copies the parts that are on their way as often as it likes, and holds no more of them."""


class StoreSuite(ABC):
    """Override `make`."""

    @abstractmethod
    def make(self, folder: Path) -> ObjectStore:
        """A store; of the same folder, the same objects, if it is durable."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Any]:
        yield self.make(tmp_path / "objects")


class LocalPathsContract(StoreSuite):
    def test_local_paths_hold_the_bytes(self, store: Any) -> None:
        store.put("a/b", b"1")
        assert store.path("a/b").read_bytes() == b"1"
        for absent in ("a", "c"):
            with pytest.raises(KeyError):
                store.path(absent)


class FillsUpContract(StoreSuite):
    """Of a store that has an end that a test can come to."""

    @abstractmethod
    def full(self, store: ObjectStore) -> AbstractContextManager[None]:
        """Within it, the store has no room for a megabyte."""

    def test_a_full_store_keeps_the_old_object(self, store: Any) -> None:
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


class PutsTogetherContract(StoreSuite):
    def test_all_that_was_put_in_one_go_is_got(self, store: Any) -> None:
        objects = {f"{n % 3}/{n:03d}": bytes([n]) * n for n in range(100)}
        store.put("0/000", b"a long old value")
        store.put_together(list(objects.items()))
        assert {key: store.get(key) for key in list(store.keys())} == objects

    def test_nothing_in_one_go(self, store: Any) -> None:
        store.put_together([])
        assert list(store.keys()) == []

    def test_one_that_is_not_a_key_is_refused(self, store: Any) -> None:
        with pytest.raises(ValueError, match="not a key"):
            store.put_together([("a", b"1"), ("../b", b"2")])

    def test_of_many_writers_of_the_same_keys_each_leaves_whole_objects(self, store: Any) -> None:
        keys = [f"a/{n}" for n in range(20)]

        def write(writer: int) -> None:
            order = keys if writer % 2 else keys[::-1]
            store.put_together([(key, bytes([writer]) * 5000) for key in order])

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
        assert list(store.keys()) == sorted(keys)
        for key in keys:
            data = store.get(key)
            assert len(data) == 5000 and len(set(data)) == 1


class MovesFilesContract(StoreSuite):
    @pytest.mark.parametrize("size", [0, 1, 100_000])
    def test_a_small_file_goes_and_comes_back(self, store: Any, tmp_path: Path, size: int) -> None:
        self._there_and_back(store, tmp_path, size)

    def test_a_file_of_several_parts_goes_and_comes_back(self, store: Any, tmp_path: Path) -> None:
        self._there_and_back(store, tmp_path, 24 * _MEGABYTE + 12_345)

    @pytest.mark.long
    def test_300_megabytes_go_and_come_back_in_flat_memory(
        self, store: Any, tmp_path: Path
    ) -> None:
        _peak()
        self._there_and_back(store, tmp_path, 60 * _MEGABYTE)
        before = _peak()
        self._there_and_back(store, tmp_path, 300 * _MEGABYTE)
        assert _peak() - before < _GROWTH

    def test_a_reader_of_several_parts_never_sees_two_versions(
        self, store: Any, tmp_path: Path
    ) -> None:
        """Two large values are put in turn while one thread downloads and another gets. To end
        without a file, since its parts were replaced again and again, is no mixture."""
        sources = [tmp_path / "even", tmp_path / "odd"]
        for number, source in enumerate(sources):
            _write_random(source, 24 * _MEGABYTE + 1000 * number)
        digests = {_digest(source) for source in sources}
        store.upload("big", sources[0])
        done = threading.Event()

        def download() -> None:
            target = tmp_path / "target"
            while not done.is_set():
                try:
                    store.download("big", target)
                except StorageFailed as exc:
                    assert exc.code == "storage.changing"
                    assert not target.exists()
                else:
                    assert _digest(target) in digests
                    target.unlink()

        def get() -> None:
            while not done.is_set():
                assert hashlib.sha256(store.get("big")).hexdigest() in digests

        with ThreadPoolExecutor(2) as pool:
            readers = [pool.submit(download), pool.submit(get)]
            try:
                for number in range(_REPLACEMENTS):
                    store.upload("big", sources[number % 2])
            finally:
                done.set()
            for reader in readers:
                reader.result()
        store.download("big", tmp_path / "target")
        assert _digest(tmp_path / "target") == _digest(sources[(_REPLACEMENTS - 1) % 2])
        (tmp_path / "target").unlink()

    def test_an_upload_replaces_and_is_an_object_as_any(self, store: Any, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"new")
        store.put("a", b"a long old value")
        store.upload("a", tmp_path / "file")
        assert store.get("a") == b"new"
        assert store.size("a") == 3
        assert list(store.keys()) == ["a"]

    def test_a_download_replaces_the_file(self, store: Any, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"a long old content")
        store.put("a", b"new")
        store.download("a", tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == b"new"

    def test_an_absent_object_leaves_no_file(self, store: Any, tmp_path: Path) -> None:
        with pytest.raises(KeyError):
            store.download("a", tmp_path / "file")
        assert not [path for path in tmp_path.iterdir() if path.is_file()]

    def test_what_is_not_a_key_is_not_moved(self, store: Any, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"1")
        for move in (store.upload, store.download):
            with pytest.raises(ValueError, match="not a key"):
                move("../a", tmp_path / "file")

    def test_a_file_that_cannot_be_written_is_an_error(self, store: Any, tmp_path: Path) -> None:
        store.put("a", b"1")
        with pytest.raises(StorageFailed):
            store.download("a", tmp_path / "no-folder" / "file")

    def _there_and_back(self, store: Any, folder: Path, size: int) -> None:
        source, target = folder / "source", folder / "target"
        _write_random(source, size)
        sent: list[int] = []
        store.upload("big/file", source, sent.append)
        assert sum(sent) == size == store.size("big/file")
        came: list[int] = []
        store.download("big/file", target, came.append)
        assert sum(came) == size
        assert _digest(target) == _digest(source)
        assert {path.name for path in folder.iterdir()} <= {"source", "target", "objects"}
        assert list(store.keys()) == ["big/file"]


class CreatesOnceContract(StoreSuite):
    def test_what_is_there_is_not_created(self, store: Any) -> None:
        assert store.create("a/b", b"1")
        assert not store.create("a/b", b"2")
        assert store.get("a/b") == b"1"
        store.put("a/c", b"1")
        assert not store.create("a/c", b"2")

    def test_what_was_deleted_is_created_again(self, store: Any) -> None:
        assert store.create("a", b"1")
        store.delete("a")
        assert store.create("a", b"2")
        assert store.get("a") == b"2"

    def test_of_many_at_once_one_creates(self, store: Any) -> None:
        for number in range(3):
            start = threading.Barrier(WRITERS)

            def create(writer: int, key: str, start: threading.Barrier) -> bool:
                start.wait()
                return bool(store.create(key, b"by %d" % writer))

            with ThreadPoolExecutor(WRITERS) as pool:
                tries = [
                    pool.submit(create, writer, f"once/{number}", start)
                    for writer in range(WRITERS)
                ]
                winners = [writer for writer, one in enumerate(tries) if one.result()]
            assert len(winners) == 1
            assert store.get(f"once/{number}") == b"by %d" % winners[0]


class ComparesAndSetsContract(StoreSuite):
    def test_only_the_version_that_was_read_is_replaced(self, store: Any) -> None:
        store.put("a", b"1")
        old = store.version("a")
        assert store.replace("a", b"2", old)
        assert not store.replace("a", b"3", old)
        assert store.get("a") == b"2"
        assert store.version("a") != old

    def test_an_absent_object_has_no_version(self, store: Any) -> None:
        assert store.version("a") is None
        store.put("a", b"1")
        old = store.version("a")
        store.delete("a")
        assert not store.replace("a", b"2", old)
        assert store.version("a") is None

    def test_a_put_gives_a_version(self, store: Any) -> None:
        store.put("a", b"1")
        old = store.version("a")
        store.put("a", b"2")
        assert not store.replace("a", b"3", old)
        assert store.get("a") == b"2"

    def test_no_update_of_a_counter_is_lost(self, store: Any) -> None:
        store.put("counter", b"0")

        def count() -> None:
            for _ in range(3):
                done = False
                while not done:
                    version = store.version("counter")
                    value = int(store.get("counter"))
                    done = store.replace("counter", b"%d" % (value + 1), version)

        with ThreadPoolExecutor(WRITERS) as pool:
            for writer in [pool.submit(count) for _ in range(WRITERS)]:
                writer.result()
        assert store.get("counter") == b"%d" % (3 * WRITERS)


class SignsUrlsContract(StoreSuite):
    def test_whoever_has_the_url_gets_the_object(self, store: Any) -> None:
        store.put("a/b.c", b"lent")
        with urllib.request.urlopen(store.signed_url("a/b.c", 60), timeout=10) as answer:
            assert answer.read() == b"lent"

    def test_the_url_names_no_secret_of_the_store(self, store: Any) -> None:
        store.put("a", b"1")
        url = store.signed_url("a", 60)
        assert url.startswith("http")
        assert not [secret for secret in self.secret_values() if secret in url]

    @abstractmethod
    def secret_values(self) -> list[str]:
        """What must not be seen."""


def _write_random(path: Path, size: int) -> None:
    with path.open("wb") as file:
        while size:
            size -= file.write(os.urandom(min(size, _MEGABYTE)))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _peak() -> int:
    """The most bytes of memory that this process had: on Linux since it was last asked, elsewhere
    since it began."""
    forget, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not forget.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    forget.write_text("5")
    return int(peak.split()[1]) * 1024
