"""Folders that survive a crash, and the system's errors in the port's words."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from freehold.domain.errors import StorageFailed, WrongUsage

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def folder_of(location: str) -> Path:
    """Of a `file:` URL (RFC 8089) of this machine. Raises WrongUsage."""
    url = urlsplit(location)
    path = Path(unquote(url.path))
    local = url.scheme == "file" and url.netloc in ("", "localhost") and path.is_absolute()
    is_root = not os.path.normpath(path).strip("/")
    if not local or is_root or url.query or url.fragment or "\0" in str(path):
        raise WrongUsage(
            "the address of a store is no folder of this machine, or the root of all of them",
            hint="write file:///an/absolute/path",
            code="storage.address",
        )
    return path


@contextmanager
def boundary(key: str) -> Iterator[None]:
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
        if exc.errno in _DENIED:
            raise StorageFailed(
                f"the system denies access to {key}",
                why=str(exc),
                code="storage.denied",
                hint="let this user read and write the store's folder, and repeat the command",
            ) from exc
        raise StorageFailed(
            f"object {key} could not be read or written",
            why=str(exc),
            hint="make sure that its disk works and that you may use it, and repeat the command",
        ) from exc


def make_folder(folder: Path) -> None:
    """A new folder's name is synced in its parent, or a crash would take its objects with it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
