"""Bytes that went to and came from meeting stores, counted as they go, until they are metered.

Each exchange has one file, `metering/moved/<microseconds>-<process>-<number>.json` beside the
ledger, written whole or not at all whenever FLUSH bytes have moved since, and at the end, however
that comes: a process that is killed leaves at most so many uncounted. Listings, heads of logs and
texts that work needs are not counted.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Any

from freehold.ports.clock import Clock

FLUSH = 64 * 1024 * 1024
"""Bytes."""
FOLDER = Path("metering") / "moved"
_NUMBERS = count()


@dataclass
class Moves:
    """Bytes, by the site whose store it is."""

    sent: dict[str, int] = field(default_factory=dict)
    fetched: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.sent.values()) + sum(self.fetched.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "fetched": dict(sorted(self.fetched.items())),
            "sent": dict(sorted(self.sent.items())),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Moves":
        """Raises ValueError, KeyError, TypeError or AttributeError for what is none."""
        return cls(
            {str(name): int(size) for name, size in value["sent"].items()},
            {str(name): int(size) for name, size in value["fetched"].items()},
        )

    def less(self, before: "Moves") -> "Moves":
        """What came on top of `before`."""
        return Moves(_more(self.sent, before.sent), _more(self.fetched, before.fetched))


@dataclass(frozen=True)
class Counter:
    """What a file says."""

    name: str
    start: int
    """Microseconds since 1970 UTC."""
    until: int
    """Of the last byte that it counts."""
    ended: bool
    """Whether nothing comes on top."""
    moves: Moves


class Tally:
    """Counts one exchange. Thread-safe."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """`folder`: the site's."""
        self._folder, self._clock, self._lock = folder / FOLDER, clock, Lock()
        self._start = clock()
        self._name = f"{self._start:016d}-{os.getpid()}-{next(_NUMBERS):06d}.json"
        self.moves, self._written = Moves(), 0

    def sent(self, store: str, size: int) -> None:
        self._count(self.moves.sent, store, size)

    def fetched(self, store: str, size: int) -> None:
        self._count(self.moves.fetched, store, size)

    def end(self) -> None:
        """Raises OSError if the disk does not take it. Nothing moved, nothing is written."""
        with self._lock:
            if self.moves.total:
                self._write(ended=True)

    def _count(self, sizes: dict[str, int], store: str, size: int) -> None:
        with self._lock:
            if size:
                sizes[store] = sizes.get(store, 0) + size
            if self.moves.total - self._written >= FLUSH:
                self._write(ended=False)

    def _write(self, *, ended: bool) -> None:
        told = {
            "ended": ended,
            "moves": self.moves.as_json(),
            "start": self._start,
            "until": max(self._clock(), self._start + 1),
        }
        write_json(self._folder / self._name, told)
        self._written = self.moves.total


@contextmanager
def tally(folder: Path, clock: Clock) -> Iterator[Tally]:
    counted = Tally(folder, clock)
    try:
        yield counted
    finally:
        counted.end()


def counters(folder: Path) -> list[Counter]:
    """By name. A file that cannot be understood is passed over."""
    found = []
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            told = json.loads(path.read_bytes())
            moves = Moves.from_json(told["moves"])
            found.append(
                Counter(path.name, int(told["start"]), int(told["until"]), told["ended"], moves)
            )
        except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError):
            continue
    return found


def forget(folder: Path, name: str) -> None:
    (folder / FOLDER / name).unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Whole or not at all, durable. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            json.dump(value, file, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _more(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    found = {name: size - before.get(name, 0) for name, size in now.items()}
    return {name: size for name, size in found.items() if size > 0}
