"""Bytes by key.

Laws
- A key is a relative POSIX path: parts of `[A-Za-z0-9._=-]`, none of them `.` or `..`.
- `put` is atomic and durable: a reader sees the old object, or none, or the whole new one.
- `put` of an existing key replaces it; whoever needs more relies on keys that name their content.
- `delete` of an absent key is success.
- No key is a folder of another one: whoever has `a` does not put `a/b`.
- Errors: ValueError for what is not a key; KeyError for an absent key; StorageFailed when the
  store refuses (disk full, denied); Unreachable when it does not answer.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

_KEY = re.compile(r"(?!\.{1,2}(/|\Z))[A-Za-z0-9._=-]+(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._=-]+)*")


def check_key(key: str) -> None:
    """Raises ValueError unless it is a key. Every store calls this first."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key of an object store: {key!r}")


class ObjectStore(ABC):
    @abstractmethod
    def put(self, key: str, data: bytes) -> None: ...

    @abstractmethod
    def get(self, key: str) -> bytes: ...

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Bytes, or None if absent."""

    @abstractmethod
    def keys(self, prefix: str = "") -> Iterator[str]:
        """Sorted."""

    @abstractmethod
    def delete(self, key: str) -> None: ...


class LocalPaths(ABC):
    """A store whose objects are files that a reader may map into memory."""

    @abstractmethod
    def path(self, key: str) -> Path:
        """Raises KeyError if absent. The file must not be written to."""
