"""Parquet parts, written behind the answers' back.

Laws
- An answer never waits for the log: when `capacity` rows wait to be written, further ones are
  dropped and counted, in `dropped` and in the next part's metadata.
- A row stands in a part, durably, at most `window` seconds and one write after it was offered;
  that much a crash may lose. A clean stop writes everything.
- A part appears whole or not at all. Its name sorts by time of writing.
- A part that the disk does not take is tried again; its rows count towards `capacity`.
- Rows of which no part can be made are dropped and counted, and cost no other row its place.
- Rows that were left out, since only a share of the keys is kept, are counted with the same window,
  in `sampled_out` and in the next part's metadata; a part without rows says it if none are kept.
- Of every row exactly one is true: it is written, it waits, it was dropped, it was left out.
- Columns are made of what waits a little at a time, as it comes, so that at a window's end no more
  is left to be done at once than must be: an answer waits for the interpreter that long.
- What was written is sketched, for each version, as a part is made: on the thread that writes, and
  after the answers. The sum since the start is to hand, of the last VERSIONS.
- Every failure is counted, told once until it has passed, and raised by the next `flush`.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from time import monotonic

from polars.exceptions import PanicException

from freehold.domain.errors import StorageFailed
from freehold.domain.sketches import Versions, VersionSketch, join
from freehold.ports.clock import Clock
from freehold.serving.left_out import LeftOut, Tally
from freehold.serving.prediction_log import (
    SLICE,
    SLICE_ROWS,
    Batch,
    Piece,
    agreeing,
    log_part_of,
    pieces_of,
)

UNWRITABLE = "endpoint.log-unwritable"
"""Until a part is taken."""
ROWS_LOST = "endpoint.log-rows-lost"
"""Until a flush has said so."""
ENDED = "endpoint.log-ended"
VERSIONS = 4
"""Of which the sketches since the start are kept: the last ones that were new."""
HASTE = 0.05
"""Seconds of the window of a log that ends soon."""


@dataclass(frozen=True)
class LogSettings:
    window: float = 2.0
    """Seconds."""
    part_rows: int = 32_768
    """Waiting rows at which a part is written at once."""
    capacity: int = 200_000


@dataclass(frozen=True)
class LogState:
    written: int
    """Rows, since the start."""
    dropped: int
    """Rows that found the log full, or of which no part could be made."""
    parts: int
    waiting: int
    failures: int
    """Parts that could not be made, or that the disk did not take."""
    failure: str
    """Why the last part was not taken, or rows were lost since the last flush; else empty."""
    alive: bool
    """Whether the thread that writes has not ended; True after a stop, too."""
    sampled_out: int
    """Rows that were answered and not kept."""


class RequestLog:
    def __init__(
        self,
        folder: Path,
        clock: Clock,
        settings: LogSettings = LogSettings(),
        on_failure: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`on_failure` gets a code and gives whether it was told; if not, it is asked again.

        Raises StorageFailed if the folder cannot be made.
        """
        self._folder, self._clock, self._settings = folder, clock, settings
        self._on_failure = on_failure
        self._changed = Condition()
        self._queue: deque[Batch] = deque()
        self._ahead: list[Batch] = []
        """Of which columns are made already. Like the pieces, it is the thread's own."""
        self._pieces: dict[int, Piece] = {}
        self._waiting = self._written = self._dropped = self._parts = self._declared = 0
        self._failures = self._lost = self._sampled_out = 0
        self._unmade = 0
        """Rows of the queue."""
        self._left_out = Tally()
        """Of which no part says anything yet."""
        self._sketches: Versions = {}
        self._asked = self._answered = 0
        self._hasty_until = 0.0
        self._closing = self._ended = False
        self._faults: dict[str, str] = {}
        """Code → why, of what has not passed."""
        self._untold: list[str] = []
        self.on_window: Callable[[], None] = lambda: None
        """Called when the rows of a window are about to be written: who holds back some that were
        answered offers them now."""
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
            self._unmade += batch.rows
            if self._waiting >= self._settings.part_rows or self._is_much():
                self._changed.notify_all()
            return True

    def leave_out(self, one: LeftOut, share: float) -> None:
        """Counts rows of keys that are not kept; `share` of the keys is."""
        with self._changed:
            if self._closing:
                self._dropped += one.rows
                return
            self._left_out.share = share
            self._left_out.add(one)
            self._sampled_out += one.rows

    @property
    def state(self) -> LogState:
        with self._changed:
            return self._state()

    @property
    def sketches(self) -> tuple[VersionSketch, ...]:
        """Of the rows that were written since the start, and are a share of all keys."""
        with self._changed:
            return tuple(self._sketches.values())

    def flush(self) -> LogState:
        """Returns when every row offered before is durable, but for those that `dropped` counts.

        Raises StorageFailed: `endpoint.log-unwritable`, `endpoint.log-ended`, and, once,
        `endpoint.log-rows-lost`.
        """
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= mine or self._ended)
            self._raise()
            return self._state()

    def hasten(self, seconds: float) -> None:
        """What waits is written now, and what comes in the next `seconds` almost at once."""
        with self._changed:
            self._hasty_until = monotonic() + seconds
            self._asked += 1
            self._changed.notify_all()

    def close(self) -> LogState:
        """Writes what waits. Raises StorageFailed as `flush` does."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._raise()
            return self._state()

    def _state(self) -> LogState:
        alive = ENDED not in self._faults
        failure = "; ".join(self._faults.values())
        counts = (self._written, self._dropped, self._parts, self._waiting, self._failures)
        return LogState(*counts, failure, alive, self._sampled_out)

    def _raise(self) -> None:
        if ENDED in self._faults:
            raise _ended(self._folder, self._faults[ENDED])
        if UNWRITABLE in self._faults:
            raise _unwritable(self._folder, self._faults[UNWRITABLE])
        if ROWS_LOST in self._faults:
            lost, self._lost = self._lost, 0
            raise _rows_lost(self._folder, lost, self._faults.pop(ROWS_LOST))

    def _run(self) -> None:
        why = "it ended"
        try:
            while self._turn():
                pass
            why = ""
        except BaseException as exc:
            why = f"{exc!r:.200}"
            raise
        finally:
            with self._changed:
                if why:
                    self._faults[ENDED] = why
                    self._untold.append(ENDED)
                self._ended = True
                self._changed.notify_all()
            self._tell()

    def _turn(self) -> bool:
        """Waits until something is due and does it; whether another turn follows."""
        self._make_ahead()
        self._let_in()
        with self._changed:
            asked, closing = self._asked, self._closing
            batches = [*self._ahead, *self._queue]
            self._queue.clear()
            self._unmade = 0
            left_out, self._left_out = self._left_out, Tally()
        self._write(batches, left_out)
        self._ahead, self._pieces = [], {}
        self._tell()
        with self._changed:
            self._answered = asked
            self._changed.notify_all()
        return not closing

    def _make_ahead(self) -> None:
        """Until something is due to be written."""
        now = monotonic()
        end = now + (HASTE if now < self._hasty_until else self._settings.window)
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_due() or self._is_much(), timeout=end - monotonic()
                )
                if self._is_due() or monotonic() >= end:
                    return
                batches: list[Batch] = []
                rows = 0
                while self._queue and len(batches) < SLICE and rows < SLICE_ROWS:
                    batches.append(self._queue.popleft())
                    rows += batches[-1].rows
                self._unmade -= rows
            self._ahead += batches
            self._pieces |= {id(one.batches[0]): one for one in pieces_of(batches)}

    def _is_much(self) -> bool:
        return len(self._queue) >= SLICE or self._unmade >= SLICE_ROWS

    def _let_in(self) -> None:
        try:
            self.on_window()
        except Exception:  # noqa: BLE001 (counted; whoever holds rows back must not end the log)
            with self._changed:
                self._failures += 1

    def _is_due(self) -> bool:
        full = self._waiting >= self._settings.part_rows and UNWRITABLE not in self._faults
        return self._closing or full or self._asked > self._answered

    def _write(self, batches: list[Batch], left_out: Tally) -> None:
        """A part of all, as a rule; of which none can be made is halved until it can be. The first
        part says what was left out; one without rows does where there is no other."""
        runs = deque(agreeing(batches))
        while runs or left_out:
            run = runs.popleft() if runs else ()
            dropped = self._dropped
            try:
                part = log_part_of(run, dropped - self._declared, left_out or None, self._pieces)
            except (Exception, PanicException) as exc:  # noqa: BLE001 (counted, told, raised)
                half = len(run) // 2
                if half:
                    runs.extendleft((run[half:], run[:half]))
                elif run:
                    self._set_aside(run[0], exc)
                else:
                    self._put_back([], left_out, exc)
                    return
                continue
            try:
                store(self._folder / self._name(), part.data)
            except Exception as exc:  # noqa: BLE001 (whatever it was, the rows are still to hand)
                self._put_back([batch for one in (run, *runs) for batch in one], left_out, exc)
                return
            self._taken(run, dropped, part.sketches)
            left_out = Tally()

    def _name(self) -> str:
        return f"part-{self._clock():016d}-{os.getpid()}-{self._parts:06d}.parquet"

    def _taken(
        self, run: Sequence[Batch], declared: int, sketches: Sequence[VersionSketch]
    ) -> None:
        # Nobody else writes them: whoever asks meanwhile gets those from before.
        known = dict(self._sketches)
        join(known, sketches)
        with self._changed:
            self._sketches = dict(list(known.items())[-VERSIONS:])
            rows = sum(batch.rows for batch in run)
            self._written += rows
            self._waiting -= rows
            self._parts += 1
            self._declared = declared
            self._faults.pop(UNWRITABLE, None)

    def _set_aside(self, batch: Batch, exc: BaseException) -> None:
        with self._changed:
            self._waiting -= batch.rows
            self._dropped += batch.rows
            self._lost += batch.rows
            # What it says may hold a value of the row.
            self._failed(ROWS_LOST, _spoken(exc) if batch.tokens is None else type(exc).__name__)

    def _put_back(self, batches: list[Batch], left_out: Tally, exc: BaseException) -> None:
        with self._changed:
            self._queue.extendleft(reversed(batches))
            self._unmade += sum(batch.rows for batch in batches)
            left_out.join(self._left_out)
            self._left_out = left_out
            self._failed(UNWRITABLE, _spoken(exc))

    def _failed(self, code: str, why: str) -> None:
        self._failures += 1
        if code not in self._faults and code not in self._untold:
            self._untold.append(code)
        self._faults[code] = why

    def _tell(self) -> None:
        """Each fault once until it has passed, and again if nobody took it."""
        untold, self._untold = self._untold, []
        for code in untold:
            try:
                is_told = self._on_failure(code)
            except Exception:  # noqa: BLE001 (counted; `flush` raises the failure all the same)
                is_told = False
                self._failures += 1
            if not is_told:
                self._untold.append(code)


def _spoken(exc: BaseException) -> str:
    return str(exc) if isinstance(exc, OSError) else f"{exc!r:.200}"


def store(path: Path, data: bytes) -> None:
    """A new file, whole and durable, or none: whoever tries again under another name must not
    leave two. Raises OSError.
    """
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
    except BaseException:
        for written in (beside, path):
            written.unlink(missing_ok=True)
        raise


def _unwritable(folder: Path, why: str) -> StorageFailed:
    return StorageFailed(
        f"the request log in {folder} cannot be written",
        why=why,
        code=UNWRITABLE,
        hint="free space on the disk, or make the folder writable; its rows wait until then",
    )


def _rows_lost(folder: Path, rows: int, why: str) -> StorageFailed:
    return StorageFailed(
        f"the request log in {folder} has lost {rows} row{'s' * (rows != 1)}",
        why=f"no part can be made of them: {why}",
        code=ROWS_LOST,
        hint="every other row is written; this is a fault of freehold's own, to be reported",
    )


def _ended(folder: Path, why: str) -> StorageFailed:
    return StorageFailed(
        f"the request log in {folder} is no longer written",
        why=f"its thread has ended: {why}",
        code=ENDED,
        hint="start the endpoint again; rows that wait are lost",
    )
