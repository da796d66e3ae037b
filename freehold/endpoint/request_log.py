"""Parquet parts, written behind the answers' back.

Laws
- An answer never waits for the log: when `capacity` rows wait to be written, further ones are
  dropped and counted, in `dropped` and in the next part's metadata.
- A row stands in a part, durably, at most `window` seconds and one write after it was offered;
  that much a crash may lose. A clean stop writes everything.
- A part appears whole or not at all. Its name sorts by time of writing.
- A part that the disk does not take is tried again; its rows count towards `capacity`.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread

from freehold.domain.errors import StorageFailed
from freehold.ports.clock import Clock
from freehold.serving.prediction_log import Batch, log_part


@dataclass(frozen=True)
class LogSettings:
    window: float = 2.0
    """Seconds."""
    part_rows: int = 50_000
    """Waiting rows at which a part is written at once."""
    capacity: int = 200_000


@dataclass(frozen=True)
class LogState:
    written: int
    """Rows, since the start."""
    dropped: int
    parts: int
    waiting: int
    failure: str = ""
    """Why the last part was not taken; empty if it was."""


class RequestLog:
    def __init__(
        self,
        folder: Path,
        clock: Clock,
        settings: LogSettings = LogSettings(),
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Raises StorageFailed if the folder cannot be made."""
        self._folder, self._clock, self._settings = folder, clock, settings
        self._on_failure = on_failure
        self._changed = Condition()
        self._queue: deque[Batch] = deque()
        self._waiting = self._written = self._dropped = self._parts = self._told = 0
        self._asked = self._answered = 0
        self._closing = False
        self._failure = ""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise _unwritable(folder, str(exc)) from exc
        self._thread = Thread(target=self._run, name="request log", daemon=True)
        self._thread.start()

    def offer(self, batch: Batch) -> bool:
        """Never blocks on the disk. False if the rows were dropped."""
        with self._changed:
            if self._closing or self._waiting + batch.rows > self._settings.capacity:
                self._dropped += batch.rows
                return False
            self._queue.append(batch)
            self._waiting += batch.rows
            if self._waiting >= self._settings.part_rows:
                self._changed.notify_all()
            return True

    @property
    def state(self) -> LogState:
        with self._changed:
            return self._state()

    def flush(self) -> LogState:
        """Returns when every row offered before is durable. Raises StorageFailed if not."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= mine or not self._thread.is_alive())
            if self._failure:
                raise _unwritable(self._folder, self._failure)
            return self._state()

    def close(self) -> LogState:
        """Writes what waits. Raises StorageFailed if the disk does not take it."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        if self._failure:
            raise _unwritable(self._folder, self._failure)
        return self.state

    def _state(self) -> LogState:
        return LogState(self._written, self._dropped, self._parts, self._waiting, self._failure)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due, timeout=self._settings.window)
                asked, closing = self._asked, self._closing
                batches, self._queue = list(self._queue), deque()
                dropped = self._dropped
            self._write(batches, dropped)
            with self._changed:
                self._answered = asked
                self._changed.notify_all()
                if closing:
                    return

    def _is_due(self) -> bool:
        full = self._waiting >= self._settings.part_rows and not self._failure
        return self._closing or full or self._asked > self._answered

    def _write(self, batches: list[Batch], dropped: int) -> None:
        if not batches:
            return
        part = self._folder / f"part-{self._clock():016d}-{os.getpid()}-{self._parts:06d}.parquet"
        try:
            store(part, log_part(batches, dropped - self._told))
        except OSError as exc:
            with self._changed:
                self._queue.extendleft(reversed(batches))
                self._failure = str(exc)
            self._on_failure(str(exc))
            return
        with self._changed:
            rows = sum(batch.rows for batch in batches)
            self._written += rows
            self._waiting -= rows
            self._parts += 1
            self._told = dropped
            self._failure = ""


def store(path: Path, data: bytes) -> None:
    """Whole and durable, or not at all. Raises OSError."""
    beside = path.with_name(f".{path.name}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _unwritable(folder: Path, why: str) -> StorageFailed:
    return StorageFailed(
        f"the request log in {folder} cannot be written",
        why=why,
        code="endpoint.log-unwritable",
        hint="free space on the disk, or make the folder writable",
    )
