"""Requests of many callers answered by one call of the model, where it gains by that.

Laws
- Nobody waits for a batch to fill: one is made of what has come while the model was at work. What
  sharing it adds to an answer is the batch's own time, less that of a row alone; at most the stated
  delay, as measured when the model was loaded.
- A model may become slower. A batch that adds more than the stated delay is counted, and the next
  have half as many rows at most; each that does not lets them have one more again.
- A model is only batched if that makes a row at least `GAIN` times cheaper, and if its answers
  in a batch are those alone, within `AGREES`.
- Whoever shares a batch that fails is answered alone: one caller's rows cost no other an answer. Of
  one that ran out of time, all are told so: asking once more would take as long again.
"""

import threading
from collections import deque
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from freehold.domain.columns import Columns
from freehold.domain.errors import FreeholdError
from freehold.ports.model_runtime import Elsewhere, Predictor

DELAY = 0.002
"""Seconds that a batch may add to an answer, unless it is said otherwise."""
GAIN = 2.0
AGREES = 1e-6
"""Of a probability."""
DEAR = 0.0002
"""Seconds for a row from which on a batch saves more than the thread that waits for it costs."""
MOST = 256
"""Rows of a batch."""
_PATIENCE = 0.5
"""Seconds for measuring one model."""
_TRIES = 3
_TIMED_OUT = "runtime.timed-out"


@dataclass
class Batching:
    """Of all models of an endpoint."""

    delay: float = DELAY
    """Seconds; 0: no batches."""
    batches: int = 0
    """Since it started; of one request, too."""
    requests: int = 0
    """Answered in them."""
    late: int = 0
    """Batches that added more than `delay` to an answer."""

    def of(self, predictor: Predictor, columns: Columns) -> Predictor:
        """In batches, if it gains by that."""
        worth = worth_of(predictor, columns, self.delay) if self.delay else NOTHING
        return BatchingPredictor(predictor, worth, self) if worth.rows else predictor


class Worth(NamedTuple):
    """What a model may be asked at once."""

    rows: int
    """0 where batching gains nothing."""
    within: float = inf
    """Seconds that a batch may take: those of a row alone, and the stated delay."""


NOTHING = Worth(0)


def worth_of(predictor: Predictor, columns: Columns, delay: float) -> Worth:
    """`delay`: in seconds.

    Rows of noughts, ones and missing values are scored for it, which any model has to take.
    """
    rows = _rows(columns)
    begun = perf_counter()
    try:
        alone = _seconds(predictor, rows[:1], begun)
        if alone < DEAR and not isinstance(predictor, Elsewhere):
            return NOTHING
        best, count = 0, 2
        while count <= MOST and perf_counter() - begun < _PATIENCE:
            together = _seconds(predictor, rows[:count], begun)
            if together - alone > delay:
                break
            if count * alone >= GAIN * together:
                best = count
            count *= 2
        agrees = best and _agree(predictor, rows[: min(best, 16)])
        return Worth(best, alone + delay) if agrees else NOTHING
    except Exception:  # noqa: BLE001 - it answers what it is asked; a batch is not needed for it
        return NOTHING


def _rows(columns: Columns) -> NDArray[np.float32]:
    """[MOST, columns]. Categories are missing: not every code is one of a model's."""
    chance = np.random.default_rng(0)
    kinds = np.array([column.kind == "number" for column in columns.columns])
    found = chance.choice(np.array([0, 1, np.nan], dtype=np.float32), (MOST, len(kinds)))
    return np.where(kinds, found, np.float32(np.nan))


def _seconds(predictor: Predictor, rows: NDArray[np.float32], begun: float) -> float:
    """The least of some; the first call may have something to prepare."""
    least = inf
    for _ in range(_TRIES):
        started = perf_counter()
        predictor.predict(rows)
        least = min(least, perf_counter() - started)
        if perf_counter() - begun > _PATIENCE:
            break
    return least


def _agree(predictor: Predictor, rows: NDArray[np.float32]) -> bool:
    alone = np.concatenate([predictor.predict(rows[at : at + 1]) for at in range(len(rows))])
    return bool(np.all(np.abs(predictor.predict(rows) - alone) <= AGREES))


class BatchingPredictor(Predictor, Elsewhere):
    """For many threads, each of which waits for its own answer."""

    def __init__(self, predictor: Predictor, worth: Worth, counts: Batching) -> None:
        self._predictor, self._rows, self._counts = predictor, worth.rows, counts
        self._within, self._most = worth.within, worth.rows
        self.width = predictor.width
        # For the batch before, for one's own, and alone.
        self.deadline = 3 * predictor.deadline if isinstance(predictor, Elsewhere) else inf
        self._lock = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._is_led = False

    def start(self) -> None:
        self._predictor.start()

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the model raises for these rows, alone or where the time ran out."""
        self.require_width(matrix)
        if not 0 < len(matrix) <= self._rows // 2:
            return self._predictor.predict(matrix)
        call = _Call(matrix)
        with self._lock:
            self._waiting.append(call)
            if not self._is_led:
                self._is_led = call.leads = True
        if not call.leads:
            call.woken.wait()
        if call.leads:
            self._lead()
        if call.error is not None:
            raise call.error
        return self._predictor.predict(matrix) if call.scores is None else call.scores

    def _lead(self) -> None:
        """One batch, whose first is the caller's own; then another that waits goes on."""
        with self._lock:
            batch, room = [self._waiting.popleft()], self._most
            room -= len(batch[0].matrix)
            while self._waiting and len(self._waiting[0].matrix) <= room:
                batch.append(self._waiting.popleft())
                room -= len(batch[-1].matrix)
            self._counts.batches += 1
            self._counts.requests += len(batch)
        try:
            self._answer(batch)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                if following is None:
                    self._is_led = False
                else:
                    following.leads = True
            for call in batch[1:]:
                call.woken.set()
            if following is not None:
                following.woken.set()

    def _answer(self, batch: "list[_Call]") -> None:
        """Leaves those without scores and error that are to ask alone."""
        rows = batch[0].matrix
        if len(batch) > 1:
            rows = np.concatenate([call.matrix for call in batch])
        started = perf_counter()
        try:
            scores = self._predictor.predict(rows)
        except Exception as exc:  # noqa: BLE001 - whose rows it was shows when each asks alone
            if len(batch) == 1 or (isinstance(exc, FreeholdError) and exc.code == _TIMED_OUT):
                for call in batch:
                    call.error = exc
            return
        if len(batch) > 1:
            self._measured(len(rows), perf_counter() - started)
        if len(batch) > 1 and (scores.shape != (len(rows),) or not np.isfinite(scores).all()):
            return
        at = 0
        for call in batch:
            call.scores = scores if len(batch) == 1 else scores[at : at + len(call.matrix)]
            at += len(call.matrix)

    def _measured(self, rows: int, seconds: float) -> None:
        """Of whoever leads: one at a time."""
        if seconds > self._within:
            self._counts.late += 1
            self._most = max(2, rows // 2)
        elif self._most < self._rows:
            self._most += 1


class _Call:
    __slots__ = ("error", "leads", "matrix", "scores", "woken")

    def __init__(self, matrix: NDArray[np.float32]) -> None:
        self.matrix = matrix
        self.woken = threading.Event()
        self.leads = False
        self.scores: NDArray[np.float64] | None = None
        self.error: Exception | None = None
