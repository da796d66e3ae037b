"""Objects as files in a folder; what was put survives a crash of the machine."""

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freehold.domain.errors import StorageFailed
from freehold.ports.object_store import LocalPaths, ObjectStore, check_key

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ARRIVING = "~arriving"
"""Folder of files that are being written; no key has a tilde."""
_ABANDONED_AFTER = 24 * 3600
"""Seconds after which an unfinished file cannot belong to a living writer."""


class DiskObjectStore(ObjectStore, LocalPaths):
    """Many threads and processes may share the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with _boundary(str(root)):
            _make_folder(root / _ARRIVING)
            self._sweep()

    def put(self, key: str, data: bytes) -> None:
        target = self._file(key)
        with _boundary(key):
            _make_folder(target.parent)
            descriptor, name = tempfile.mkstemp(dir=self._root / _ARRIVING)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            _sync_folder(target.parent)

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        file = self._file(key)
        with _boundary(key), file.open("rb") as opened:
            opened.seek(start)
            return opened.read() if stop is None else opened.read(max(stop - start, 0))

    def size(self, key: str) -> int | None:
        file = self._file(key)
        with contextlib.suppress(KeyError), _boundary(key):
            if not file.is_dir():
                return file.stat().st_size
        return None

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        return (key for key in self._walk(self._root, "", prefix) if key > after)

    def delete(self, key: str) -> None:
        file = self._file(key)
        with contextlib.suppress(KeyError), _boundary(key):
            if not file.is_dir():
                file.unlink()
                _sync_folder(file.parent)

    def path(self, key: str) -> Path:
        file = self._file(key)
        if not file.is_file():
            raise KeyError(key)
        return file

    def _file(self, key: str) -> Path:
        check_key(key)
        return self._root / key

    def _walk(self, folder: Path, before: str, prefix: str) -> Iterator[str]:
        """A folder sorts as its name and a slash, so that whole keys come out in order."""
        names: list[str] = []
        with contextlib.suppress(KeyError), _boundary(before), os.scandir(folder) as found:
            names = sorted(e.name + "/" * e.is_dir() for e in found if "~" not in e.name)
        for name in names:
            key = before + name
            if name.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(folder / name, key, prefix)
            elif key.startswith(prefix):
                yield key

    def _sweep(self) -> None:
        """Drop what crashed writers left."""
        oldest = time.time() - _ABANDONED_AFTER
        for file in (self._root / _ARRIVING).iterdir():
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


@contextmanager
def _boundary(key: str) -> Iterator[None]:
    """Turns the system's errors into the port's."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _ABSENT:
            raise KeyError(key) from exc
        if exc.errno in _FULL:
            raise StorageFailed(
                f"the disk is full: object {key} was not written",
                why=str(exc),
                code="storage.full",
                hint="make room on the disk and repeat the command",
            ) from exc
        raise StorageFailed(
            f"object {key} could not be read or written",
            why=str(exc),
            hint="make sure that its disk works and that you may use it, and repeat the command",
        ) from exc


def _make_folder(folder: Path) -> None:
    """A new folder's name is synced in its parent, or a crash would take its objects with it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
