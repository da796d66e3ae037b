"""One prediction request, by whatever protocol it came: route, score, log, answer. Runs to its end
without waiting.
"""

from collections.abc import Callable, Sequence
from itertools import count, cycle
from os import urandom
from time import perf_counter_ns
from typing import NamedTuple, Protocol

from freehold.domain.errors import Failed, FreeholdError, RequestInvalid
from freehold.endpoint.loading import LoadedTable, checked
from freehold.endpoint.metrics import Metrics
from freehold.endpoint.shadow import Shadowing, Shadows
from freehold.ports.clock import Clock
from freehold.serving.left_out import LeftOut
from freehold.serving.prediction_log import Batch
from freehold.serving.request import InferenceRequest, asked_at
from freehold.serving.response import Predictions
from freehold.serving.rows import COLUMN_MISSING, absent, check_columns, logged_inputs, matrix_of

BUSY = "runtime.busy"
"""A model elsewhere has as many to answer as may wait."""


class ModelFailed(Failed):
    """The model raised, or gave what is no score."""

    code = "endpoint.model-failed"


class _Scored(NamedTuple):
    values: list[float]
    microseconds: float


class _Call(NamedTuple):
    """What all rows of one request share."""

    loaded: LoadedTable
    request: InferenceRequest
    request_id: str
    prediction_ids: Sequence[str]
    at: int
    asked_at: int
    pinned: bool
    trace: str | None


class Log(Protocol):
    """What is told of every row that was asked."""

    on_window: Callable[[], None]

    def offer(self, batch: Batch, /) -> bool: ...

    def leave_out(self, one: LeftOut, share: float) -> None: ...


class Inference:
    def __init__(self, log: Log, metrics: Metrics, clock: Clock) -> None:
        self._log, self._metrics, self.clock = log, metrics, clock
        self._turns = cycle((False, True))
        self.shadows = Shadows(self._keep, _shadow_scores, metrics.shadow_was_late)
        log.on_window = self.shadows.give_up
        # Together as many digits as a UUID has: no two processes share the first part.
        self._prefix, self._numbers = urandom(10).hex(), count()

    def answer(
        self,
        loaded: LoadedTable,
        request: InferenceRequest,
        at: int,
        pinned: int | None,
        trace: str | None = None,
    ) -> Predictions:
        """`at`: when it had arrived, in microseconds since 1970 UTC. `pinned`: place of the
        variant that the client named, if it named one. `trace`: id of the client's trace.

        Raises RequestInvalid for a fault of the request, ModelFailed for one of a model.
        """
        request_id = request.id or f"{self._prefix}{next(self._numbers):012x}"
        ids = request.prediction_ids(request_id)
        asked = asked_at(request, at)
        call = _Call(loaded, request, request_id, ids, at, asked, pinned is not None, trace)
        groups = loaded.division.groups(ids) if pinned is None else {pinned: None}
        for place in groups:
            self._check(call, place, groups[place])
        batches = [self._batch(call, place, rows) for place, rows in groups.items()]
        if len(batches) == 1:
            (batch,) = batches
            self._log_answered(call, batch, next(iter(groups.values())))
            return Predictions(
                loaded.table.model, request_id, batch.score or (), [batch.version] * batch.rows, ids
            )
        scores: list[float] = [0.0] * request.rows
        versions: list[int] = [0] * request.rows
        for batch, rows in zip(batches, groups.values(), strict=True):
            self._log_answered(call, batch, rows)
            for value, row in zip(batch.score or (), rows or range(request.rows), strict=True):
                scores[row] = value
                versions[row] = batch.version
        return Predictions(loaded.table.model, request_id, scores, versions, ids)

    def _check(self, call: _Call, place: int, rows: list[int] | None) -> None:
        """A column that only this variant asks for, and the reference does not, is its own fault:
        the rows count as its errors.
        """
        loaded = call.loaded
        columns = loaded.models[place].columns
        try:
            check_columns(call.request, columns, loaded.kinds)
        except RequestInvalid as exc:
            reference = loaded.reference
            if reference is not None and reference != place:
                needed = set(loaded.models[reference].columns.names)
                if exc.code == COLUMN_MISSING and not needed & set(absent(call.request, columns)):
                    self._keep(self._made(call, place, rows, error=exc.code))
            raise

    def _batch(self, call: _Call, place: int, rows: list[int] | None) -> Batch:
        loaded = call.loaded
        reference = None if loaded.reference == place or call.pinned else loaded.reference
        # Who scores second finds the caches warm, which would count as speed: they take turns.
        first = reference is not None and next(self._turns)
        other = None
        if reference is not None and first:
            other = self._compared(call, reference, rows)
        try:
            own = _score(call, place, rows)
        except ModelFailed as exc:
            self._keep(self._made(call, place, rows, error=exc.code))
            raise
        if reference is not None and not first:
            other = self._compared(call, reference, rows)
        return self._made(call, place, rows, own, other)

    def _compared(self, call: _Call, reference: int, rows: list[int] | None) -> _Scored | None:
        """The answer does not depend on it, so that its failure is counted and no more."""
        try:
            return _score(call, reference, rows)
        except (ModelFailed, RequestInvalid):
            self._metrics.reference_errors.labels(call.loaded.table.model).inc()
            return None

    def _made(
        self,
        call: _Call,
        place: int,
        rows: list[int] | None,
        own: _Scored | None = None,
        other: _Scored | None = None,
        *,
        error: str | None = None,
    ) -> Batch:
        table, ids = call.loaded.table, call.prediction_ids
        variant = table.variants[place]
        return Batch(
            prediction_ids=ids if rows is None else [ids[row] for row in rows],
            request_id=call.request_id,
            at=call.at,
            asked_at=call.asked_at,
            model=table.model,
            version=variant.version,
            alias=variant.alias,
            routing=None if call.pinned else table.version,
            score=None if own is None else own.values,
            reference_score=None if other is None else other.values,
            latency_us=None if own is None else own.microseconds,
            reference_latency_us=None if other is None else other.microseconds,
            error=error,
            inputs=logged_inputs(call.request, call.loaded.kinds, rows),
            kinds=call.loaded.kinds,
            trace=call.trace,
            tokens=call.loaded.keeping.tokens,
            sampling=call.loaded.keeping.sampling,
            has_ids=call.request.ids is not None,
        )

    def _log_answered(self, call: _Call, batch: Batch, rows: list[int] | None) -> None:
        if not call.loaded.keeping.whole:
            self._sample(batch)
        elif call.loaded.table.shadow is None or call.pinned:
            self._keep(batch)
        else:
            self.shadows.offer(batch, call.loaded, call.request, rows)

    def _sample(self, batch: Batch) -> None:
        """Answered rows, of which the log keeps those of some keys."""
        self._metrics.counted(batch)
        sampling, kept = batch.sampling, batch.sampled
        assert sampling is not None
        left = batch.rows - len(kept)
        if left:
            seconds = 0.0 if kept else (batch.latency_us or 0.0) / 1e6
            times = batch.asked_at, batch.asked_at, batch.at
            counts = LeftOut(
                batch.model, batch.version, 0 if kept else 1, left, *times, seconds, seconds**2
            )
            self._log.leave_out(counts, sampling.share)
        if kept:
            self._log.offer(batch.take(kept) if left else batch)

    def _keep(self, batch: Batch) -> None:
        self._metrics.counted(batch)
        self._log.offer(batch)


def _shadow_scores(one: Shadowing) -> tuple[list[float] | None, float | None, str | None]:
    loaded, shadow = one.loaded, one.loaded.table.shadow
    place = None if shadow is None else loaded.place(shadow.version)
    assert place is not None
    try:
        check_columns(one.request, loaded.models[place].columns, loaded.kinds)
        scored = _scored(loaded, one.request, place, one.chosen_rows)
    except (ModelFailed, RequestInvalid) as exc:
        return None, None, exc.code
    return scored.values, scored.microseconds, None


def _score(call: _Call, place: int, rows: list[int] | None) -> _Scored:
    return _scored(call.loaded, call.request, place, rows)


def _scored(
    loaded: LoadedTable, request: InferenceRequest, place: int, rows: list[int] | None
) -> _Scored:
    """Raises ModelFailed, RequestInvalid `request.number-too-large`."""
    started = perf_counter_ns()
    model = loaded.models[place]
    matrix = matrix_of(request, model.columns, rows)
    try:
        scores = checked(model.predictor.predict(matrix), len(matrix))
    except Exception as exc:
        table = loaded.table
        name = f"{table.model}@{table.variants[place].version}"
        is_busy = isinstance(exc, FreeholdError) and exc.code == BUSY
        code = BUSY if is_busy else ModelFailed.code
        raise ModelFailed(f"the model {name} failed", why=f"{exc!r:.200}", code=code) from exc
    return _Scored(scores, (perf_counter_ns() - started) / 1000)
