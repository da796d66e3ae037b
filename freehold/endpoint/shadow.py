"""A variant that scores rows which others answer, once they are answered and nobody waits.

Laws
- No answer waits for it, and none is its. What it says, or how it failed, stands in the log beside
  the row that it is about.
- It scores the rows of at most the table's share of keys, chosen by key: the same ones each time.
- Of requests whose turn it has not had, `ROOM` are kept; the rows of others are logged without it.
- No row waits for it beyond the log's window: what has not had its turn by then is logged without
  it, so that a crash loses no more rows than it would have, but for those that it is just scoring.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    def __init__(self, keep: Callable[[Batch], None], score: Scoring) -> None:
        self._keep, self._score = keep, score
        self._waiting: deque[Shadowing] = deque()
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
        """Keeps what waits, as it is. Safe from any thread."""
        while True:
            try:
                one = self._waiting.popleft()
            except IndexError:
                return
            self._keep(one.batch)

    @property
    def waits(self) -> bool:
        """Whether scoring the next one waits for another process."""
        try:
            return self._waiting[0].loaded.waits
        except IndexError:
            return False

    def next(self) -> bool:
        """Scores the next one; whether another waits."""
        try:
            one = self._waiting.popleft()
        except IndexError:
            return False
        scores, microseconds, error = self._score(one)
        count = one.batch.rows
        versions: list[int | None] = [None] * count
        values: list[float | None] = [None] * count
        shadow = one.loaded.table.shadow
        assert shadow is not None
        for place in one.chosen:
            versions[place] = shadow.version
        for place, value in zip(one.chosen, scores or (), strict=False):
            values[place] = value
        self._keep(
            one.batch._replace(
                shadow_version=versions,
                shadow_score=values,
                shadow_latency_us=microseconds,
                shadow_error=error,
            )
        )
        return bool(self._waiting)
