"""Bytes by key, for as long as the process lives."""

import threading
from collections.abc import Iterator
from typing import ClassVar

from freehold.domain.errors import WrongUsage
from freehold.ports.object_store import (
    ComparesAndSets,
    CreatesOnce,
    ObjectStore,
    Opens,
    StoreSettings,
    check_key,
)

_SCHEME = "memory://"


class MemoryObjectStore(ObjectStore, Opens, CreatesOnce, ComparesAndSets):
    """`open` gives the same store for the same name, within a process."""

    _opened: ClassVar[dict[str, "MemoryObjectStore"]] = {}
    _opening: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, int]] = {}
        self._puts = 0

    @classmethod
    def open(cls, settings: StoreSettings) -> "MemoryObjectStore":
        name = settings.location.removeprefix(_SCHEME)
        if not settings.location.startswith(_SCHEME) or not name:
            raise WrongUsage(
                f"'{settings.location}' is no store in memory",
                hint="write memory://NAME",
                code="storage.address",
            )
        with cls._opening:
            return cls._opened.setdefault(name, cls())

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        with self._lock:
            self._take(key, data)

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        check_key(key)
        with self._lock:
            return self._objects[key][0][start:stop]

    def size(self, key: str) -> int | None:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
        return None if found is None else len(found[0])

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        with self._lock:
            found = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
        return iter(found)

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def create(self, key: str, data: bytes) -> bool:
        check_key(key)
        with self._lock:
            if key in self._objects:
                return False
            self._take(key, data)
            return True

    def version(self, key: str) -> str | None:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
        return None if found is None else str(found[1])

    def replace(self, key: str, data: bytes, version: str) -> bool:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
            if found is None or str(found[1]) != version:
                return False
            self._take(key, data)
            return True

    def _take(self, key: str, data: bytes) -> None:
        self._puts += 1
        self._objects[key] = bytes(data), self._puts
