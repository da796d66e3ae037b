"""How long this endpoint has been up, for whoever meters it.

One file, `replicas/<microseconds>-<process>.json` in the serving folder, written anew every BEAT:
`start`, `beat` (microseconds since 1970 UTC), `ended`, `model`, and `seconds`, since the start, by
version: a replica that serves several divides its time by their weights. A process that is killed
counts until its last beat.
"""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread

from freehold.domain.canonical import canonical
from freehold.domain.routing import RoutingTable
from freehold.ports.clock import Clock

FOLDER = "replicas"
BEAT = 15.0
"""Seconds."""


class Replica:
    """A beat that the disk does not take is told by `on_lost`; the next one makes it good."""

    def __init__(
        self, folder: Path, clock: Clock, on_lost: Callable[[], None], every: float = BEAT
    ) -> None:
        """`folder`: the serving folder."""
        self._clock, self._on_lost, self._every = clock, on_lost, every
        self._start = self._beat = clock()
        self._path = folder / FOLDER / f"{self._start:016d}-{os.getpid()}.json"
        self._lock, self._ending, self._stop = Lock(), Lock(), Event()
        self._model = ""
        self._shares: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._thread = Thread(target=self._run, name="replica", daemon=True)

    def serves(self, table: RoutingTable) -> None:
        """From now on; the first call begins the beats. Nothing, once it has ended."""
        if self._stop.is_set():
            return
        with self._lock:
            self._count()
            self._model = table.model
            self._shares = {
                str(one.version): one.weight / 100 for one in table.variants if one.weight > 0
            }
        self.beat()
        if not self._thread.is_alive() and not self._stop.is_set():
            self._thread.start()

    def beat(self) -> None:
        with self._lock:
            self._count()
            told = {
                "beat": self._beat,
                "ended": self._stop.is_set(),
                "model": self._model,
                "seconds": dict(self._seconds),
                "start": self._start,
            }
            try:
                _write(self._path, canonical(told))
            except Exception:  # noqa: BLE001 (answering goes on whatever the disk says)
                self._on_lost()

    def end(self) -> None:
        """Returns once the last beat is told, whoever it was that ended it."""
        with self._ending:
            if self._stop.is_set():
                return
            self._stop.set()
            if self._thread.is_alive():
                self._thread.join()
            self.beat()

    def _count(self) -> None:
        """A clock that was put back counts for nothing until it has caught up."""
        now = max(self._clock(), self._beat)
        elapsed, self._beat = (now - self._beat) / 1e6, now
        for version, share in self._shares.items():
            self._seconds[version] = self._seconds.get(version, 0.0) + share * elapsed

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.beat()


def _write(path: Path, data: bytes) -> None:
    """In place of the beat before, which stays if this fails. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
