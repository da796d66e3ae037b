"""One file per lock, locked with flock(2): the kernel frees it when its holder dies.

A file is removed by its holder before the lock is released, so that no files are left over; who
takes a lock therefore looks whether the file that it locked is still the one of that name.
"""

import fcntl
import os
from hashlib import sha256
from pathlib import Path

from freehold.domain.errors import StorageFailed
from freehold.ports.locks import Held, Locks


class FileLocks(Locks):
    """Holds between all processes that are given the same folder of a local disk."""

    def __init__(self, folder: Path) -> None:
        """Raises StorageFailed if the folder cannot be made."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StorageFailed("the folder of locks cannot be made", why=str(exc)) from exc

    def take(self, name: str) -> Held | None:
        path = self._folder / f"{sha256(name.encode()).hexdigest()}.lock"
        while True:
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except OSError as exc:
                raise StorageFailed("a lock's file cannot be opened", why=str(exc)) from exc
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            if _is_still(path, descriptor):
                return _Held(path, descriptor)
            os.close(descriptor)


class _Held(Held):
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
