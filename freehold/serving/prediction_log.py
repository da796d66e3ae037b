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
  trace                       id of the trace that the client said it belongs to, or null
  shadow_version,             version that scored the row beside the answer, which was not given;
  shadow_score,               null where none did; its score, the time that it took for all rows of
  shadow_latency_us,          the request that it scored, and the code if it failed
  shadow_error
  sampled                     where the log keeps a share of the keys: whether the row's is one of
                              them; else it is here for another reason, and no share of anything
  input_*                     each column that a loaded model takes, as sent
  token_*                     instead of it, where the column is personal: see `tokens`; the two ids
                              are tokens too where they are personal

Metadata of a part
  freehold.log                its format
  freehold.dropped            rows that were dropped since the part before
  freehold.sampled_out        rows of keys that are not kept, since the part before: see `left_out`
  freehold.sample             the share of the keys that is kept; absent where nothing was left out
  freehold.left_out           the counts by version; absent where nothing was left out
  freehold.tokens             name of the key that tokens are made with; absent if there are none
  freehold.token_ids          `true` where the two ids are tokens
  freehold.sketches           what each version was asked and answered (`domain/sketches`), of the
                              rows that are a share of all keys; absent where there are none
"""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain, repeat
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson
import polars as pl
from polars.exceptions import PanicException

from freehold.domain.sketches import VersionSketch
from freehold.domain.statistics.sketches import (
    ColumnSketch,
    NumberSketch,
    PersonalSketch,
    category_sketch,
    number_sketch,
)
from freehold.serving.left_out import Tally
from freehold.serving.sampling import Sampling
from freehold.serving.tensor import NumberMatrix
from freehold.serving.tokens import PREDICTION, REQUEST, Tokens

INPUT = "input_"
TOKEN = "token_"
TOKENS, TOKEN_IDS = "freehold.tokens", "freehold.token_ids"
SKETCHES = "freehold.sketches"
SLICE = 1024
"""Batches of which columns are made at a time: each column is made without letting another thread
at the interpreter, and answers must not wait for it."""
SLICE_ROWS = 16384
"""Rows of the same, more or less: of many rows to a request, fewer tables cost less."""
FORMAT = "1"

SAMPLED = "sampled"
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
    "trace": pl.String,
    "shadow_version": pl.Int64,
    "shadow_score": pl.Float64,
    "shadow_latency_us": pl.Float64,
    "shadow_error": pl.String,
    SAMPLED: pl.Boolean,
}
_OF_ROWS = ("score", "reference_score", "shadow_version", "shadow_score")
"""Of which a batch has a list; the others have one value for all its rows."""
Kinds = Mapping[str, Literal["number", "category"]]
Inputs = Mapping[str, Sequence[Any]] | NumberMatrix
"""Values by column; null, and in a matrix NaN, for what is missing."""


class Batch(NamedTuple):
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
    inputs: Inputs
    kinds: Kinds
    """Of the inputs."""
    trace: str | None = None
    shadow_version: Sequence[int | None] | None = None
    shadow_score: Sequence[float | None] | None = None
    shadow_latency_us: float | None = None
    shadow_error: str | None = None
    tokens: Tokens | None = None
    """What of it is personal; the values themselves are never written."""
    sampling: Sampling | None = None
    """Where the log keeps a share of the keys."""
    has_ids: bool = False
    """Whether the ids are the rows' own."""

    @property
    def rows(self) -> int:
        return len(self.prediction_ids)

    @property
    def sampled(self) -> Sequence[int]:
        """Places of rows whose key is one of the share."""
        if self.sampling is None:
            return range(self.rows)
        if self.has_ids:
            return self.sampling.kept(self.prediction_ids)
        return range(self.rows if self.sampling.keeps(self.request_id) else 0)

    def take(self, rows: Sequence[int]) -> "Batch":
        """These rows only, of a batch that no shadow has scored."""
        inputs: Inputs
        if isinstance(self.inputs, NumberMatrix):
            inputs = self.inputs.take(rows)
        else:
            inputs = {name: _of(values, rows) for name, values in self.inputs.items()}
        return self._replace(
            prediction_ids=_of(self.prediction_ids, rows),
            score=None if self.score is None else _of(self.score, rows),
            reference_score=None
            if self.reference_score is None
            else _of(self.reference_score, rows),
            inputs=inputs,
        )


def agreeing(batches: Sequence[Batch]) -> list[Sequence[Batch]]:
    """Runs of batches, in order, within which no column has two kinds, and the same things are
    personal under one key: a table each."""
    runs: list[Sequence[Batch]] = []
    start = 0
    kinds: dict[str, str] = {}
    known: Kinds | None = None
    for place, batch in enumerate(batches):
        # The batches of one model share both, as a rule, and nothing else needs to be looked at.
        if batch.kinds is known and batch.tokens is batches[start].tokens:
            continue
        tokens = batches[start].tokens
        if (batch.tokens is not tokens and batch.tokens != tokens) or any(
            kinds.get(name, kind) != kind for name, kind in batch.kinds.items()
        ):
            runs.append(batches[start:place])
            start, kinds = place, {}
        kinds.update(batch.kinds)
        known = batch.kinds
    return [*runs, batches[start:]] if batches else []


class Piece(NamedTuple):
    """A table that was made of some batches before it was known what is written with them."""

    batches: Sequence[Batch]
    table: pl.DataFrame


Pieces = Mapping[int, Piece]
"""By the identity of the first batch."""
NO_PIECES: Pieces = MappingProxyType({})


def pieces_of(batches: Sequence[Batch]) -> list[Piece]:
    """Of the batches that a table can be made of now: `log_table` tries the others again."""
    runs = agreeing(batches)
    return [Piece(run, table) for run in runs if (table := _tried(run)) is not None]


def _tried(run: Sequence[Batch]) -> pl.DataFrame | None:
    try:
        return _table(run, _kinds(run))
    except (Exception, PanicException):  # noqa: BLE001 (raised again where the part is made)
        return None


def log_table(batches: Sequence[Batch], pieces: Pieces = NO_PIECES) -> pl.DataFrame:
    """Columns of SCHEMA, then the inputs by name. The batches agree on the kinds of columns, and on
    what is personal. `pieces`: of which nothing needs to be made again.

    Raises ValueError or TypeError for an input that is not of its kind.
    """
    if not batches:
        return pl.DataFrame(schema=SCHEMA)
    return pl.concat(_tables(batches, pieces), rechunk=True)


def _tables(batches: Sequence[Batch], pieces: Pieces) -> Iterator[pl.DataFrame]:
    kinds = _kinds(batches)
    width = len(SCHEMA) + len(kinds)
    at = 0
    while at < len(batches):
        made = pieces.get(id(batches[at]))
        # One of another release may lack a column; one of a part that is halved may go too far.
        if made and made.table.width == width and at + len(made.batches) <= len(batches):
            yield made.table
            at += len(made.batches)
            continue
        end, rows = at + 1, batches[at].rows
        while end < min(at + SLICE, len(batches)) and rows < SLICE_ROWS:
            if id(batches[end]) in pieces:
                break
            rows += batches[end].rows
            end += 1
        yield _table(batches[at:end], kinds)
        at = end


def _kinds(batches: Sequence[Batch]) -> Kinds:
    distinct = {id(batch.kinds): batch.kinds for batch in batches}
    return {name: kind for one in distinct.values() for name, kind in one.items()}


def _table(batches: Sequence[Batch], kinds: Kinds) -> pl.DataFrame:
    columns: Iterator[Sequence[Any]] = zip(*batches, strict=True)
    values = dict(zip(Batch._fields, columns, strict=True))
    counts = [batch.rows for batch in batches]
    many = None if max(counts) == 1 else np.repeat(np.arange(len(batches)), counts)
    rows = sum(counts)
    tokens = batches[0].tokens
    ids = tokens.key if tokens is not None and tokens.ids else None
    if ids is not None:
        values[REQUEST] = ids.tokens(REQUEST, values[REQUEST], numbers=False)
    series = []
    for name, dtype in SCHEMA.items():
        if name == PREDICTION:
            named: list[Any] = list(chain.from_iterable(values["prediction_ids"]))
            if ids is not None:
                named = ids.tokens(PREDICTION, named, numbers=False)
            found = pl.Series(name, named, dtype)
        elif values["sampling" if name == SAMPLED else name].count(None) == len(batches):
            found = pl.Series(name, [None], dtype).new_from_index(0, rows)
        elif name == SAMPLED:
            found = pl.Series(name, list(chain.from_iterable(map(_sampled, batches))), dtype)
        elif name in _OF_ROWS:
            scores = zip(values[name], counts, strict=True)
            of_rows = chain.from_iterable(one or repeat(None, count) for one, count in scores)
            found = pl.Series(name, list(of_rows), dtype)
        else:
            found = pl.Series(name, values[name], dtype)
            if many is not None:
                found = found.gather(many)
        series.append(found)
    series += _inputs(values["inputs"], counts, kinds, tokens)
    return pl.DataFrame(series)


def _inputs(
    inputs: Sequence[Inputs], counts: Sequence[int], kinds: Kinds, tokens: Tokens | None
) -> Iterator[pl.Series]:
    personal = frozenset() if tokens is None else tokens.columns
    names = inputs[0].names if isinstance(inputs[0], NumberMatrix) else None
    if names is not None and all(
        isinstance(one, NumberMatrix) and one.names == names for one in inputs
    ):
        matrix = np.concatenate([one.numbers for one in inputs])  # type: ignore[union-attr]
        columns = dict(zip(names, np.ascontiguousarray(matrix.T), strict=True))
    else:
        columns = {}
    for name in sorted(kinds):
        if name in columns and kinds[name] == "number" and name not in personal:
            yield pl.Series(INPUT + name, columns[name], pl.Float64, nan_to_null=True)
        else:
            values: list[Any] = []
            for one, count in zip(inputs, counts, strict=True):
                values.extend(_values(one, name) or repeat(None, count))
            if tokens is not None and name in personal:
                yield _tokens(tokens, name, values, kinds[name])
            else:
                yield _input(name, values, kinds[name])


def _values(inputs: Inputs, name: str) -> Sequence[Any] | None:
    if isinstance(inputs, NumberMatrix):
        return inputs[name].values if name in inputs.names else None
    return inputs.get(name)


class LogPart(NamedTuple):
    data: bytes
    """A Parquet file."""
    sketches: tuple[VersionSketch, ...]
    """That stand in its metadata."""


def log_part(batches: Sequence[Batch], dropped: int, left_out: Tally | None = None) -> bytes:
    """The file of `log_part_of`."""
    return log_part_of(batches, dropped, left_out).data


def log_part_of(
    batches: Sequence[Batch],
    dropped: int,
    left_out: Tally | None = None,
    pieces: Pieces = NO_PIECES,
) -> LogPart:
    """Its metadata say how many rows were dropped, and left out, since the part before. Of no
    batches it has no rows, and says only that."""
    metadata = {"freehold.log": FORMAT, "freehold.dropped": str(dropped)}
    metadata |= {"freehold.sampled_out": "0"} if left_out is None else left_out.metadata()
    tokens = batches[0].tokens if batches else None
    if tokens is not None:
        metadata |= {TOKENS: tokens.key.name, TOKEN_IDS: "true" if tokens.ids else "false"}
    table = log_table(batches, pieces)
    versions = {(batch.model, batch.version) for batch in batches}
    sketches = tuple(_sketched(table, is_one=len(versions) == 1))
    if sketches:
        metadata[SKETCHES] = orjson.dumps([one.as_json() for one in sketches]).decode()
    written = BytesIO()
    table.write_parquet(
        written,
        compression="zstd",
        compression_level=1,
        metadata=metadata,
    )
    return LogPart(written.getvalue(), sketches)


def _sketched(table: pl.DataFrame, *, is_one: bool) -> Iterator[VersionSketch]:
    """`is_one`: whether all rows are of one version, as mostly: then they need not be copied apart,
    which takes as long as sketching them."""
    shared = of_the_share(table)
    parts = [shared] if is_one else shared.partition_by("model", "version", maintain_order=True)
    for rows in parts:
        if rows.is_empty():
            continue
        inputs: dict[str, ColumnSketch] = {}
        for name in rows.columns:
            if name.startswith(INPUT):
                inputs[name.removeprefix(INPUT)] = _sketch(rows[name])
            elif name.startswith(TOKEN):
                missing = rows[name].null_count()
                inputs[name.removeprefix(TOKEN)] = PersonalSketch(rows.height, missing)
        (model,), (version,) = rows["model"].head(1), rows["version"].head(1)
        yield VersionSketch(model, version, rows.height, inputs, _numbers(rows["score"]))


def _sketch(series: pl.Series) -> ColumnSketch:
    if series.dtype != pl.String:
        return _numbers(series)
    found = series.alias("value").to_frame().group_by("value").len()
    counts = dict(zip(found["value"].to_list(), found["len"].to_list(), strict=True))
    missing = counts.pop(None, 0)
    return category_sketch(len(series), missing, counts)


def _numbers(series: pl.Series) -> NumberSketch:
    return number_sketch(series.to_numpy())


def sketches_of(metadata: Mapping[str, str]) -> tuple[VersionSketch, ...]:
    """Of a part; none where it has no rows, or is older than they. Raises ValueError."""
    return tuple(map(VersionSketch.from_json, orjson.loads(metadata.get(SKETCHES, "[]"))))


def inputs_of(log: pl.DataFrame) -> pl.DataFrame:
    """The input columns under the names that the models know."""
    names = [name for name in log.columns if name.startswith(INPUT)]
    return log.select(names).rename({name: name.removeprefix(INPUT) for name in names})


def personal_in(log: pl.DataFrame) -> frozenset[str]:
    """Columns, under the names that the models know, of which some row has a token."""
    names = [name for name in log.columns if name.startswith(TOKEN)]
    return frozenset(name.removeprefix(TOKEN) for name in names)


def of_the_share(log: pl.DataFrame) -> pl.DataFrame:
    """Rows that are a share of all keys, or all: without those that are there because they failed,
    or since a release ran, which would weigh more than others."""
    return log.filter(pl.col(SAMPLED).fill_null(True)) if SAMPLED in log.columns else log


def _sampled(batch: Batch) -> Sequence[bool | None]:
    if batch.sampling is None:
        return [None] * batch.rows
    found: list[bool | None] = [False] * batch.rows
    for place in batch.sampled:
        found[place] = True
    return found


def _of(values: Sequence[Any], rows: Sequence[int]) -> list[Any]:
    return [values[row] for row in rows]


def _tokens(tokens: Tokens, name: str, values: list[Any], kind: str) -> pl.Series:
    made = tokens.key.tokens(INPUT + name, values, numbers=kind == "number")
    return pl.Series(TOKEN + name, made, dtype=pl.String)


def _input(name: str, values: list[Any], kind: str) -> pl.Series:
    if kind == "category":
        return pl.Series(INPUT + name, values, dtype=pl.String)
    numbers = [None if value is None else float(value) for value in values]
    return pl.Series(INPUT + name, numbers, dtype=pl.Float64)
