"""Bytes by key, for as long as the process lives."""

import threading
from collections.abc import Iterator

from freehold.ports.object_store import ObjectStore, check_key


class MemoryObjectStore(ObjectStore):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        with self._lock:
            self._objects[key] = bytes(data)

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        check_key(key)
        with self._lock:
            return self._objects[key][start:stop]

    def size(self, key: str) -> int | None:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
        return None if found is None else len(found)

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        with self._lock:
            found = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
        return iter(found)

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)
