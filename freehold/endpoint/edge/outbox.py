"""What a bundle has to tell, until a store has taken it: the request log, events, beats.

Laws
- A file is deleted here once the store has acknowledged it, and not before. What is sent twice has
  one name there and changes nothing.
- The log and the events take at most `limit` bytes: beyond, the oldest parts of the log go, then
  the oldest events; how many files and bytes went is counted, durably, and told as the box's state.
- What is still being written is left alone: names that begin with a dot, and the beat of a process
  that has not ended.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import Lock

from freehold.domain.canonical import canonical
from freehold.domain.edge_report import Kind, ReportKey
from freehold.domain.errors import StorageFailed
from freehold.endpoint.edge.folder import Bundle
from freehold.endpoint.endpoint import EVENTS, LOG
from freehold.endpoint.replica import FOLDER as REPLICAS
from freehold.ports.clock import Clock
from freehold.ports.object_store import ObjectStore

LIMIT = 2**30
"""Bytes."""
BOX = "box.json"
DEAD = 86_400_000_000
"""Microseconds without a beat after which a process has ended without a word."""


@dataclass(frozen=True)
class BoxState:
    """What is told of the machine that the bundle lies on."""

    box: str
    """Drawn at random when the bundle was first used there."""
    number: int
    """Of the bundle."""
    files: int = 0
    """Dropped for want of room."""
    bytes: int = 0
    at: int = 0
    """When it became so, microseconds since 1970 UTC."""


@dataclass(frozen=True)
class Sent:
    files: int
    bytes: int


class Outbox:
    """Thread-safe."""

    def __init__(self, bundle: Bundle, clock: Clock, limit: int = LIMIT) -> None:
        """Raises StorageFailed if the bundle's state cannot be written."""
        self._bundle, self._clock, self._limit = bundle, clock, limit
        self._path = bundle.state / BOX
        self._lock = Lock()
        self._state = self._opened()

    @property
    def state(self) -> BoxState:
        return self._state

    def waiting(self) -> list[Path]:
        """Parts of the log and events that no store has taken, oldest first, the log before."""
        return [*self._parts(), *self._events()]

    def bound(self) -> int:
        """Lets go of what is beyond the limit; how many files went."""
        with self._lock:
            sizes = {path: _size(path) for path in self.waiting()}
            beyond = sum(sizes.values()) - self._limit
            gone = []
            for path, size in sizes.items():
                if beyond <= 0:
                    break
                gone.append(path)
                beyond -= size
            if gone:
                # Counted first: a kill in between counts too many rather than none.
                self._remember(
                    replace(
                        self._state,
                        files=self._state.files + len(gone),
                        bytes=self._state.bytes + sum(sizes[path] for path in gone),
                        at=self._clock(),
                    )
                )
            for path in gone:
                path.unlink(missing_ok=True)
            return len(gone)

    def send(self, store: ObjectStore) -> Sent:
        """Everything that waits. Raises what the store raises: what it has taken until then is
        gone from here, the rest waits."""
        files = total = 0
        for kind, path, last in self._all():
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                # It was dropped, or another process has sent it.
                continue
            self._put(store, kind, data)
            if last:
                path.unlink(missing_ok=True)
            files, total = files + 1, total + len(data)
        self._put(store, "state", canonical(asdict(self._state)))
        return Sent(files, total)

    def _put(self, store: ObjectStore, kind: Kind, data: bytes) -> None:
        about = self._bundle.manifest
        key = ReportKey(about.site, about.model, kind, sha256(data).hexdigest())
        store.put(str(key), data)

    def _all(self) -> Iterator[tuple[Kind, Path, bool]]:
        """Kind, file, and whether nobody writes to it any more."""
        yield from (("log", path, True) for path in self._parts())
        yield from (("event", path, True) for path in self._events())
        for path in self._files(REPLICAS, "*.json"):
            yield "replica", path, self._has_ended(path)

    def _parts(self) -> list[Path]:
        return self._files(LOG, "*.parquet")

    def _events(self) -> list[Path]:
        return self._files(EVENTS, "*.json")

    def _files(self, folder: str, pattern: str) -> list[Path]:
        """Their names begin with the time."""
        found = (self._bundle.serving / folder).glob(pattern)
        return sorted(path for path in found if not path.name.startswith("."))

    def _has_ended(self, path: Path) -> bool:
        try:
            told = json.loads(path.read_bytes())
            return bool(told["ended"]) or self._clock() - int(told["beat"]) > DEAD
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _opened(self) -> BoxState:
        number = self._bundle.manifest.number
        try:
            state = BoxState(**json.loads(self._path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            state = BoxState(os.urandom(8).hex(), 0)
        if state.number != number:
            state = replace(state, number=number, at=self._clock())
            self._remember(state)
        return state

    def _remember(self, state: BoxState) -> None:
        part = self._path.with_name(self._path.name + ".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(canonical(asdict(state)))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as exc:
            raise StorageFailed(
                f"{self._path} cannot be written",
                why=str(exc),
                hint="make room, or make it writable: what is dropped is counted there",
            ) from exc
        self._state = state


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
