"""The request log's rows: one for each prediction given, and each that a variant failed to give.

Columns
  prediction_id, request_id   what a label is joined by; what rows of one request share
  at                          when the request had arrived, UTC
  asked_at                    when the question arose, UTC: `at`, unless the request says otherwise
  model, version, alias       who answered
  routing                     number of the routing table that sent the row there; null if the
                              client named the version itself, which says nothing about a release
  score, reference_score      probability; the reference model's on the same row, while it is asked
  latency_us,                 time that scoring took, for the rows of this request and variant
  reference_latency_us        together
  error                       code, null if none; then the score is null
  input_*                     each column that a loaded model takes, as sent
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import polars as pl

INPUT = "input_"
FORMAT = "1"

SCHEMA: Mapping[str, Any] = {
    "prediction_id": pl.String,
    "request_id": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "asked_at": pl.Datetime("us", "UTC"),
    "model": pl.String,
    "version": pl.Int64,
    "alias": pl.String,
    "routing": pl.Int64,
    "score": pl.Float64,
    "reference_score": pl.Float64,
    "latency_us": pl.Float64,
    "reference_latency_us": pl.Float64,
    "error": pl.String,
}
_OF_THE_BATCH = (
    "request_id",
    "at",
    "asked_at",
    "model",
    "version",
    "alias",
    "routing",
    "latency_us",
    "reference_latency_us",
    "error",
)

Kinds = Mapping[str, Literal["number", "category"]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """The rows of one request that one variant answered."""

    prediction_ids: Sequence[str]
    request_id: str
    at: int
    """Microseconds since 1970 UTC."""
    asked_at: int
    """Microseconds since 1970 UTC."""
    model: str
    version: int
    alias: str
    routing: int | None
    score: Sequence[float] | None
    reference_score: Sequence[float] | None
    latency_us: float | None
    reference_latency_us: float | None
    error: str | None
    inputs: Mapping[str, Sequence[Any]]
    kinds: Kinds
    """Of the inputs."""

    @property
    def rows(self) -> int:
        return len(self.prediction_ids)


def agreeing(batches: Sequence[Batch]) -> list[Sequence[Batch]]:
    """Runs of batches, in order, within which no column has two kinds: a table each."""
    runs: list[Sequence[Batch]] = []
    start = 0
    kinds: dict[str, str] = {}
    for place, batch in enumerate(batches):
        if any(kinds.get(name, kind) != kind for name, kind in batch.kinds.items()):
            runs.append(batches[start:place])
            start, kinds = place, {}
        kinds.update(batch.kinds)
    return [*runs, batches[start:]] if batches else []


def log_table(batches: Sequence[Batch]) -> pl.DataFrame:
    """Columns of SCHEMA, then the inputs by name. The batches agree on the kinds of columns.

    Raises ValueError or TypeError for an input that is not of its kind.
    """
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA}
    kinds = {name: kind for batch in batches for name, kind in batch.kinds.items()}
    inputs: dict[str, list[Any]] = {name: [] for name in sorted(kinds)}
    for batch in batches:
        rows = batch.rows
        columns["prediction_id"].extend(batch.prediction_ids)
        columns["score"].extend(batch.score or [None] * rows)
        columns["reference_score"].extend(batch.reference_score or [None] * rows)
        for name in _OF_THE_BATCH:
            columns[name].extend([getattr(batch, name)] * rows)
        for name, values in inputs.items():
            values.extend(batch.inputs.get(name) or [None] * rows)
    series = [pl.Series(name, columns[name], dtype=kind) for name, kind in SCHEMA.items()]
    series += [_input(name, values, kinds[name]) for name, values in inputs.items()]
    return pl.DataFrame(series)


def log_part(batches: Sequence[Batch], dropped: int) -> bytes:
    """A Parquet file; its metadata say how many rows were dropped since the part before."""
    written = BytesIO()
    log_table(batches).write_parquet(
        written,
        compression="zstd",
        compression_level=1,
        metadata={"freehold.log": FORMAT, "freehold.dropped": str(dropped)},
    )
    return written.getvalue()


def inputs_of(log: pl.DataFrame) -> pl.DataFrame:
    """The input columns under the names that the models know."""
    names = [name for name in log.columns if name.startswith(INPUT)]
    return log.select(names).rename({name: name.removeprefix(INPUT) for name in names})


def _input(name: str, values: list[Any], kind: str) -> pl.Series:
    if kind == "category":
        return pl.Series(INPUT + name, values, dtype=pl.String)
    numbers = [None if value is None else float(value) for value in values]
    return pl.Series(INPUT + name, numbers, dtype=pl.Float64)
