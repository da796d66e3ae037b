"""Objects as files in a folder; what was put survives a crash of the machine."""

import contextlib
import fcntl
import os
import stat
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from freehold.adapters.disk.folders import boundary, folder_of, make_folder, sync_folder
from freehold.domain.errors import StorageFailed
from freehold.ports.object_store import (
    ComparesAndSets,
    CreatesOnce,
    LocalPaths,
    Moved,
    MovesFiles,
    ObjectStore,
    Opens,
    PutsTogether,
    StoreSettings,
    check_key,
    is_key,
)
from freehold.ports.remote_store import arriving

_ARRIVING = "~arriving"
"""Folder of files that are being written; no key has a tilde."""
_LOCKS = "~locks"
"""Folder of files that whoever changes a name locks; many names share one."""
_LOCKS_COUNT = 256
_ABANDONED_AFTER = 24 * 3600
"""Seconds after which an unfinished file cannot belong to a living writer."""
_CHUNK = 2**20


class DiskObjectStore(
    ObjectStore, Opens, LocalPaths, MovesFiles, PutsTogether, CreatesOnce, ComparesAndSets
):
    """Many threads and processes of one machine may share the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        try:
            with boundary(str(root)):
                make_folder(root / _ARRIVING)
                make_folder(root / _LOCKS)
                self._sweep()
        except KeyError as exc:
            raise StorageFailed(
                f"there is no folder {root}, and none can be made",
                why=str(exc.__cause__),
                hint="make sure that its disk is there and that no file stands in its way",
                code="storage.no-folder",
            ) from exc

    @classmethod
    def open(cls, settings: StoreSettings) -> "DiskObjectStore":
        """Of `file:///an/absolute/path`; makes the folder."""
        return cls(folder_of(settings.location))

    def put(self, key: str, data: bytes) -> None:
        self._put(key, partial(_fill, data))

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        file = self._file(key)
        with boundary(key), file.open("rb") as opened:
            opened.seek(start)
            return opened.read() if stop is None else opened.read(max(stop - start, 0))

    def size(self, key: str) -> int | None:
        found = self._status(key)
        return None if found is None else found.st_size

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        return self._walk(self._root, "", prefix, after)

    def delete(self, key: str) -> None:
        file = self._file(key)
        if self._status(key) is None:
            return
        with contextlib.suppress(KeyError), boundary(key), self._locked(key):
            file.unlink()
            sync_folder(file.parent)

    def path(self, key: str) -> Path:
        file = self._file(key)
        if self._status(key) is None:
            raise KeyError(key)
        return file

    def upload(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        with boundary(str(path)):
            source = path.open("rb")
        with source:
            self._put(key, lambda file: _copy(source, file, moved))

    def download(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        with boundary(key):
            source = self._file(key).open("rb")
        with source, arriving(path) as descriptor, os.fdopen(os.dup(descriptor), "wb") as file:
            _copy(source, file, moved)

    def put_together(self, objects: Sequence[tuple[str, bytes]]) -> None:
        folders: dict[Path, str] = {}
        with ExitStack() as written:
            arrived = []
            for key, data in objects:
                target = self._file(key)
                with boundary(key):
                    if target.parent not in folders:
                        make_folder(target.parent)
                    name = written.enter_context(self._written(partial(_fill, data)))
                folders[target.parent] = key
                arrived.append((key, name, target))
            for key, name, target in arrived:
                with boundary(key), self._locked(key):
                    self._rename(name, target)
            for folder, key in folders.items():
                with boundary(key):
                    sync_folder(folder)

    def create(self, key: str, data: bytes) -> bool:
        target = self._file(key)
        with boundary(key), self._written_for(target, partial(_fill, data)) as name:
            with self._locked(key):
                try:
                    # Unlike a check before a rename, link(2) holds against any other writer.
                    os.link(name, target)
                except FileExistsError:
                    return False
                sync_folder(target.parent)
            return True

    def version(self, key: str) -> str | None:
        found = self._status(key)
        return None if found is None else _version(found)

    def replace(self, key: str, data: bytes, version: str) -> bool:
        target = self._file(key)
        if self.version(key) is None:
            return False
        with boundary(key), self._written_for(target, partial(_fill, data)) as name:
            with self._locked(key):
                if self.version(key) != version:
                    return False
                self._rename(name, target)
                sync_folder(target.parent)
            return True

    def _put(self, key: str, write: Callable[[BinaryIO], object]) -> None:
        target = self._file(key)
        with boundary(key), self._written_for(target, write) as name, self._locked(key):
            self._rename(name, target)
            sync_folder(target.parent)

    @contextmanager
    def _written_for(self, target: Path, write: Callable[[BinaryIO], object]) -> Iterator[Path]:
        """As `_written`, with a folder for the object."""
        make_folder(target.parent)
        with self._written(write) as name:
            yield name

    @contextmanager
    def _written(self, write: Callable[[BinaryIO], object]) -> Iterator[Path]:
        """A synced file beside, gone afterwards unless it was renamed."""
        descriptor, text = tempfile.mkstemp(dir=f"{self._root}/{_ARRIVING}")
        name = Path(text)
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            yield name
        finally:
            name.unlink(missing_ok=True)

    def _rename(self, name: Path, target: Path) -> None:
        """Within the key's lock; its folder is not synced yet. The new file is the younger one,
        also where the clock's steps are coarse or it was set back: its time is its version."""
        old = _status_of(target)
        stamp = time.time_ns() if old is None else max(time.time_ns(), old.st_mtime_ns + 1)
        os.utime(name, ns=(stamp, stamp))
        name.replace(target)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        number = zlib.crc32(key.encode()) % _LOCKS_COUNT
        file = os.open(f"{self._root}/{_LOCKS}/{number:02x}", os.O_CREAT | os.O_WRONLY, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _file(self, key: str) -> Path:
        check_key(key)
        return self._root / key

    def _status(self, key: str) -> os.stat_result | None:
        """Of an object; None if there is none, or a folder."""
        target = self._file(key)
        with contextlib.suppress(KeyError), boundary(key):
            return _status_of(target)
        return None

    def _walk(self, folder: Path, before: str, prefix: str, after: str) -> Iterator[str]:
        """A folder sorts as its name and a slash, so that whole keys come out in order. What has
        no key that was asked for is not looked into."""
        names: list[str] = []
        with contextlib.suppress(KeyError), boundary(before), os.scandir(folder) as found:
            names = sorted(e.name + "/" * e.is_dir() for e in found if is_key(e.name))
        for name in names:
            key = before + name
            if name.endswith("/"):
                wanted = key.startswith(prefix) or prefix.startswith(key)
                if wanted and (key > after or after.startswith(key)):
                    yield from self._walk(folder / name, key, prefix, after)
            elif key > after and key.startswith(prefix):
                yield key

    def _sweep(self) -> None:
        """Drop what crashed writers left."""
        oldest = time.time() - _ABANDONED_AFTER
        for file in (self._root / _ARRIVING).iterdir():
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _status_of(target: Path) -> os.stat_result | None:
    """None if there is nothing, or a folder. Raises the system's errors."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        found = target.stat()
        if not stat.S_ISDIR(found.st_mode):
            return found
    return None


def _fill(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def _version(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_ino}"


def _copy(source: BinaryIO, target: BinaryIO, moved: Moved) -> None:
    chunk = memoryview(bytearray(_CHUNK))
    while count := source.readinto(chunk):  # type: ignore[attr-defined]
        target.write(chunk[:count])
        moved(count)
