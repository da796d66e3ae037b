"""Asks an endpoint as its clients will, before the first of them does: a request costs ten times as
much while the interpreter has not seen its way.

All of the way is gone but the log's file and the real figures: nothing of it is told anywhere.
"""

from collections.abc import Callable

import orjson

from freehold.domain.columns import Column
from freehold.endpoint.application import Application
from freehold.endpoint.batching import Batching
from freehold.endpoint.inference import Inference
from freehold.endpoint.message import JSON, Asking
from freehold.endpoint.metrics import Metrics
from freehold.endpoint.request_log import RequestLog
from freehold.endpoint.watcher import Watcher
from freehold.ports.clock import Clock
from freehold.serving.left_out import LeftOut
from freehold.serving.prediction_log import Batch
from freehold.serving.request import Limits
from freehold.serving.response import Identity

ROUNDS = 20
SIZES = (1, 16)
"""Rows of a request."""


class _Nowhere:
    """A log that keeps nothing."""

    on_window: Callable[[], None]

    def offer(self, _batch: Batch) -> bool:
        return True

    def leave_out(self, one: LeftOut, share: float) -> None:
        """It counts nothing either."""


def unheard(log: RequestLog, clock: Clock) -> tuple[Inference, Metrics]:
    """They answer and count as an endpoint's do, and nobody is told."""
    metrics = Metrics(log, Batching(0.0))
    return Inference(_Nowhere(), metrics, clock), metrics


def warm(watcher: Watcher, log: RequestLog, clock: Clock, identity: Identity) -> None:
    """Models that answer from elsewhere are left alone: on their way the interpreter is the least.

    What they are answered does not matter: whoever asks the same later is told.
    """
    loaded = watcher.table
    if loaded.waits:
        return
    inference, metrics = unheard(log, clock)
    application = Application(watcher, inference, log, metrics, identity, Limits())
    headers = {b"content-type": JSON.encode()}
    askings = [
        Asking("POST", path, headers, body, "")
        for columns in loaded.described(None)[1]
        for path, body in _questions(loaded.table.model, columns.columns)
    ]
    for _ in range(ROUNDS):
        for asking in askings:
            application.answer(asking)


def _questions(model: str, columns: tuple[Column, ...]) -> list[tuple[str, bytes]]:
    """Path and body, by each of the protocols in JSON."""
    found: list[tuple[str, object]] = []
    for rows in SIZES:
        inputs = [
            {
                "name": column.name,
                "datatype": "FP64" if column.kind == "number" else "BYTES",
                "shape": [rows],
                "data": [value_of(column)] * rows,
            }
            for column in columns
        ]
        records = [{column.name: value_of(column) for column in columns}] * rows
        found += [
            (f"/v2/models/{model}/infer", {"inputs": inputs}),
            (f"/v1/models/{model}/predict", records),
            ("/invocations", {"dataframe_records": records}),
        ]
    return [(path, orjson.dumps(body)) for path, body in found]


def value_of(column: Column) -> float | str | None:
    if column.kind == "number":
        return 0.0
    return column.values[0] if column.values else None
