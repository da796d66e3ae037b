"""Bytes by key.

Laws
- A key is a relative POSIX path: parts of `[A-Za-z0-9._=-]`, none of them `.` or `..`.
- `put` is atomic and durable: a reader sees the old object, or none, or the whole new one.
- `put` of an existing key replaces it; whoever needs more relies on keys that name their content.
- `delete` of an absent key is success.
- Errors: KeyError for an absent key; StorageFailed when the store refuses (disk full, denied);
  Unreachable when it does not answer.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path


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
