"""Object stores."""

import os
import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.domain.errors import IntegrityError, NotFound, StorageFailed
from freehold.ports.attachment_store import AttachmentStore, attachment_key
from freehold.ports.contracts.object_store import ObjectStoreContract
from freehold.ports.object_store import ObjectStore


@contextmanager
def small_files() -> Iterator[None]:
    """The kernel refuses to let a file of this process grow beyond 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestDiskObjectStore(ObjectStoreContract):
    def make(self, folder: Path) -> ObjectStore:
        return DiskObjectStore(folder)

    def full(self, store: ObjectStore) -> AbstractContextManager[None]:
        return small_files()

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


class TestMemoryObjectStore(ObjectStoreContract):
    def make(self, folder: Path) -> ObjectStore:
        return MemoryObjectStore()

    def full(self, store: ObjectStore) -> AbstractContextManager[None]:
        return small_files()

    @pytest.mark.xfail(strict=True, reason="never: memory has no limit of its own")
    def test_a_full_store_keeps_the_old_object(self, store: ObjectStore) -> None:
        super().test_a_full_store_keeps_the_old_object(store)

    @pytest.mark.xfail(strict=True, reason="never: memory does not outlive its process")
    def test_it_stands_when_opened_again(self, tmp_path: Path) -> None:
        super().test_it_stands_when_opened_again(tmp_path)


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
