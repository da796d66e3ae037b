"""Object stores of this machine, and what is attached to facts in them."""

import errno
import hashlib
import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.domain.errors import IntegrityError, NotFound, StorageFailed, WrongUsage
from freehold.ports.attachment_store import AttachmentStore, attachment_key
from freehold.ports.contracts.object_store import ObjectStoreContract
from freehold.ports.contracts.object_store_abilities import (
    ComparesAndSetsContract,
    CreatesOnceContract,
    FillsUpContract,
    LocalPathsContract,
    MovesFilesContract,
    PutsTogetherContract,
)
from freehold.ports.object_store import ObjectStore, StoreSettings


@contextmanager
def small_files() -> Iterator[None]:
    """The kernel refuses to let a file of this process grow beyond 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestDisk(
    ObjectStoreContract,
    LocalPathsContract,
    FillsUpContract,
    MovesFilesContract,
    PutsTogetherContract,
    CreatesOnceContract,
    ComparesAndSetsContract,
):
    adapter = "disk"
    server = "ext4"

    def make(self, folder: Path) -> ObjectStore:
        return DiskObjectStore(folder)

    def full(self, store: ObjectStore) -> AbstractContextManager[None]:
        return small_files()

    def test_what_does_not_fit_in_one_go_leaves_what_was_there(self, tmp_path: Path) -> None:
        store = DiskObjectStore(tmp_path)
        store.put("a", b"old")
        with small_files(), pytest.raises(StorageFailed) as caught:
            store.put_together([("a", b"new"), ("b", b"x" * 2**20)])
        assert caught.value.code == "storage.full"
        assert store.get("a") == b"old"
        assert list(store.keys()) == ["a"]
        assert not list((tmp_path / "~arriving").iterdir())

    def test_a_crashed_writers_file_is_no_object_and_is_swept(self, tmp_path: Path) -> None:
        store = DiskObjectStore(tmp_path)
        left, fresh = tmp_path / "~arriving" / "left", tmp_path / "~arriving" / "fresh"
        for file in (left, fresh):
            file.write_bytes(b"half")
        os.utime(left, (0, 0))
        assert list(store.keys()) == []
        DiskObjectStore(tmp_path)
        assert not left.exists() and fresh.exists()

    def test_a_key_below_an_object(self, tmp_path: Path) -> None:
        store = DiskObjectStore(tmp_path)
        store.put("a", b"1")
        with pytest.raises(StorageFailed):
            store.put("a/b", b"2")
        assert store.get("a") == b"1"

    def test_it_is_opened_by_its_url(self, tmp_path: Path) -> None:
        url = (tmp_path / "a folder").as_uri()
        DiskObjectStore.open(StoreSettings(url)).put("a", b"1")
        assert (tmp_path / "a folder" / "a").read_bytes() == b"1"

    def test_a_folder_that_cannot_be_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Some file systems answer so where no folder can be, such as that of Linux' processes.
        def absent(path: Path, *_: object, **__: object) -> None:
            raise FileNotFoundError(errno.ENOENT, "no such file or directory", str(path))

        monkeypatch.setattr(Path, "mkdir", absent)
        with pytest.raises(StorageFailed) as caught:
            DiskObjectStore(Path("/nowhere/store"))
        assert caught.value.code == "storage.no-folder"

    @pytest.mark.parametrize(
        "url",
        [
            *("/srv", "file:srv", "file://other/srv", "s3://srv", ""),
            *("file:///", "file:////", "file:///srv/..", "file:///srv%00"),
        ],
    )
    def test_what_is_no_url_of_a_folder(self, url: str) -> None:
        with pytest.raises(WrongUsage) as caught:
            DiskObjectStore.open(StoreSettings(url))
        assert caught.value.code == "storage.address"

    def test_what_follows_a_key_is_found_without_looking_before_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = DiskObjectStore(tmp_path)
        for name in ("a/1/x", "a/2/x", "b/1/x", "b/2/x", "c/1/x"):
            store.put(name, b"")
        looked, scan = [], os.scandir

        def spy(folder: Path) -> object:
            looked.append(folder.relative_to(tmp_path).as_posix())
            return scan(folder)

        monkeypatch.setattr(os, "scandir", spy)
        assert list(store.keys("b", "b/1/x")) == ["b/2/x"]
        assert looked == [".", "b", "b/1", "b/2"]

    def test_a_version_grows_where_the_clock_stands_still(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
        store = DiskObjectStore(tmp_path)
        versions = set()
        for _ in range(20):
            store.put("a", b"same")
            versions.add(store.version("a"))
        assert len(versions) == 20

    def test_a_put_waits_between_a_comparison_and_its_setting(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = DiskObjectStore(tmp_path)
        store.put("a", b"old")
        version, stamp = store.version("a"), os.utime
        with ThreadPoolExecutor(1) as pool:
            puts = []

            def put_meanwhile(*args: object, **options: object) -> None:
                monkeypatch.setattr(os, "utime", stamp)
                puts.append(pool.submit(store.put, "a", b"put"))
                with pytest.raises(TimeoutError):
                    puts[0].result(0.2)
                stamp(*args, **options)  # type: ignore[arg-type]

            monkeypatch.setattr(os, "utime", put_meanwhile)
            assert store.replace("a", b"replaced", version or "")
            puts[0].result()
        assert store.get("a") == b"put"

    @pytest.mark.long
    def test_a_million_keys(self, tmp_path: Path) -> None:
        """The files are made by themselves: a folder of files is a store."""
        store = DiskObjectStore(tmp_path / "objects")
        for folder in range(1000):
            path = tmp_path / "objects" / "many" / f"{folder:03d}"
            path.mkdir(parents=True)
            for number in range(1000):
                (path / f"{number:03d}").touch()
        assert next(store.keys()) == "many/000/000"
        count, last = 0, ""
        keys = store.keys()
        for key in keys:
            assert key > last
            count, last = count + 1, key
        assert count == 1_000_000
        assert list(store.keys(after="many/999/997")) == ["many/999/998", "many/999/999"]
        assert len(list(store.keys("many/500/"))) == 1000

    @pytest.mark.long
    def test_five_gigabytes(self, tmp_path: Path) -> None:
        """Of blocks that differ from each other, on the disk and not in holes; two of the three
        copies are there at a time."""
        store = DiskObjectStore(tmp_path / "objects")
        source, target = tmp_path / "source", tmp_path / "target"
        size = 5 * 2**30
        wanted = hashlib.sha256()
        with source.open("wb") as file:
            for _ in range(size // 2**23):
                block = os.urandom(2**23)
                wanted.update(block)
                file.write(block)
        moved = [0]

        def count(bytes_: int) -> None:
            moved[0] += bytes_

        store.upload("a", source, count)
        assert moved[0] == size == store.size("a")
        assert store.path("a").stat().st_blocks * 512 >= size
        assert store.get("a", size - 5, size + 5) == block[-5:]
        source.unlink()
        store.download("a", target)
        store.delete("a")
        with target.open("rb") as file:
            assert hashlib.file_digest(file, "sha256").digest() == wanted.digest()
        target.unlink()


class TestMemory(ObjectStoreContract, CreatesOnceContract, ComparesAndSetsContract):
    adapter = "memory"
    server = "this process"

    def make(self, folder: Path) -> ObjectStore:
        return MemoryObjectStore()

    @pytest.mark.xfail(strict=True, reason="never: memory does not outlive its process")
    def test_it_stands_when_opened_again(self, tmp_path: Path) -> None:
        super().test_it_stands_when_opened_again(tmp_path)

    def test_a_name_is_one_store_of_this_process(self, tmp_path: Path) -> None:
        name = f"memory://{tmp_path.name}"
        MemoryObjectStore.open(StoreSettings(name)).put("a", b"1")
        assert MemoryObjectStore.open(StoreSettings(name)).get("a") == b"1"
        assert MemoryObjectStore.open(StoreSettings(f"{name}-2")).size("a") is None

    @pytest.mark.parametrize("url", ["memory://", "memory:a", "file:///a"])
    def test_what_is_no_name(self, url: str) -> None:
        with pytest.raises(WrongUsage) as caught:
            MemoryObjectStore.open(StoreSettings(url))
        assert caught.value.code == "storage.address"


@pytest.fixture
def store() -> ObjectStore:
    return MemoryObjectStore()


def test_an_attachment_is_got_until_it_is_erased(store: ObjectStore) -> None:
    attachments = AttachmentStore(store, os.urandom)
    name = attachments.put(b"Traceback ...")
    assert name.startswith("salted-sha256:")
    assert attachments.get(name) == b"Traceback ..."
    for _ in range(2):
        attachments.erase(name)
        with pytest.raises(IntegrityError) as caught:
            attachments.get(name)
        assert caught.value.code == "attachment.erased"


def test_a_name_does_not_tell_what_was_attached(store: ObjectStore) -> None:
    attachments = AttachmentStore(store, os.urandom)
    assert attachments.put(b"yes") != attachments.put(b"yes")


def test_an_altered_attachment_is_found(store: ObjectStore) -> None:
    attachments = AttachmentStore(store, lambda size: b"s" * size)
    name = attachments.put(b"yes")
    assert store.get(attachment_key(name)) == b"s" * 16 + b"yes"
    store.put(attachment_key(name), b"s" * 16 + b"no")
    with pytest.raises(IntegrityError) as caught:
        attachments.get(name)
    assert caught.value.code == "attachment.altered"


@pytest.mark.parametrize("name", ["", "sha256:" + "a" * 64, "salted-sha256:../../x"])
def test_what_is_no_name_of_an_attachment(store: ObjectStore, name: str) -> None:
    with pytest.raises(NotFound) as caught:
        AttachmentStore(store, os.urandom).get(name)
    assert caught.value.code == "attachment.malformed-name"
