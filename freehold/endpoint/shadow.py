"""A variant that scores rows which others answer, once they are answered and nobody waits.

Laws
- No answer waits for it, and none is its. What it says, or how it failed, stands in the log beside
  the row that it is about.
- It scores the rows of at most the table's share of keys, chosen by key: the same ones each time.
- Of requests whose turn it has not had, `ROOM` are kept; the rows of others are logged without it.
- No row waits for it beyond the log's window: what has not had its turn by then, or is just being
  scored, is logged without it, so that a crash loses no more rows than it would have. A score that
  comes after that is counted and dropped: a second row would be a second answer.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from freehold.endpoint.loading import LoadedTable
from freehold.serving.prediction_log import Batch
from freehold.serving.request import InferenceRequest

ROOM = 256


@dataclass(frozen=True, slots=True)
class Shadowing:
    """An answered batch, with what the shadow needs to score some of its rows."""

    batch: Batch
    loaded: LoadedTable
    request: InferenceRequest
    rows: Sequence[int] | None
    """Of the request, that the batch holds; None for all."""
    chosen: Sequence[int]
    """Places within the batch."""

    @property
    def chosen_rows(self) -> list[int]:
        """Places within the request."""
        return [place if self.rows is None else self.rows[place] for place in self.chosen]


Scoring = Callable[[Shadowing], tuple[Sequence[float] | None, float | None, str | None]]
"""Gives the chosen rows' scores, the microseconds that they took, and the code of what failed."""


class Shadows:
    def __init__(
        self,
        keep: Callable[[Batch], None],
        score: Scoring,
        on_late: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        """`on_late` gets each batch whose rows were logged before the shadow had scored them."""
        self._keep, self._score, self._on_late = keep, score, on_late
        self._lock = Lock()
        """While one passes from waiting to being scored, and on to the log: it is never in none."""
        self._waiting: deque[Shadowing] = deque()
        self._scoring: Shadowing | None = None
        """None, too, once a window has taken it."""
        self._turn = Lock()
        """Held while one is scored."""
        self.on_waiting: Callable[[], None] = self._at_once
        """Called when one waits: who runs a loop calls `next` when it has time."""

    def _at_once(self) -> None:
        while self.next():
            pass

    def offer(
        self,
        batch: Batch,
        loaded: LoadedTable,
        request: InferenceRequest,
        rows: Sequence[int] | None,
    ) -> None:
        """Keeps the batch, now or once the shadow has scored what it is to."""
        chosen = [] if batch.error is not None else loaded.division.shadowed(batch.prediction_ids)
        if not chosen or len(self._waiting) >= ROOM:
            self._keep(batch)
            return
        self._waiting.append(Shadowing(batch, loaded, request, rows, chosen))
        self.on_waiting()

    def give_up(self) -> None:
        """Keeps what waits, and what is being scored, as it is. Safe from any thread."""
        with self._lock:
            given_up = [] if self._scoring is None else [self._scoring]
            self._scoring = None
            # `offer` appends without the lock: what comes meanwhile waits for the next window.
            given_up += [self._waiting.popleft() for _ in range(len(self._waiting))]
        for one in given_up:
            self._keep(one.batch)

    @property
    def waits(self) -> bool:
        """Whether `next` waits for another process, or for who scores one already."""
        try:
            return self._turn.locked() or self._waiting[0].loaded.waits
        except IndexError:
            return False

    def next(self) -> bool:
        """Scores the next one; whether another waits."""
        with self._turn:
            return self._next()

    def _next(self) -> bool:
        with self._lock:
            if not self._waiting:
                return False
            one = self._waiting.popleft()
            self._scoring = one
        scores, microseconds, error = self._score(one)
        with self._lock:
            is_late, self._scoring = self._scoring is None, None
            if not is_late:
                self._keep(_scored(one, scores, microseconds, error))
        if is_late:
            self._on_late(one.batch)
        return bool(self._waiting)


def _scored(
    one: Shadowing, scores: Sequence[float] | None, microseconds: float | None, error: str | None
) -> Batch:
    count = one.batch.rows
    versions: list[int | None] = [None] * count
    values: list[float | None] = [None] * count
    shadow = one.loaded.table.shadow
    assert shadow is not None
    for place in one.chosen:
        versions[place] = shadow.version
    for place, value in zip(one.chosen, scores or (), strict=False):
        values[place] = value
    return one.batch._replace(
        shadow_version=versions,
        shadow_score=values,
        shadow_latency_us=microseconds,
        shadow_error=error,
    )
