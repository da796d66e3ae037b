"""Locks between the threads of this process."""

import threading

from freehold.ports.locks import Held, Locks


class MemoryLocks(Locks):
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._names: set[str] = set()

    def take(self, name: str) -> Held | None:
        with self._guard:
            if name in self._names:
                return None
            self._names.add(name)
        return _Held(self, name)

    def free(self, name: str) -> None:
        with self._guard:
            self._names.discard(name)


class _Held(Held):
    def __init__(self, locks: MemoryLocks, name: str) -> None:
        self._locks, self._name, self._released = locks, name, False

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._locks.free(self._name)
