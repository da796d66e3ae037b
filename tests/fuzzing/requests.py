"""The readers of requests: the Open Inference Protocol, `/invocations`, plain rows, messages."""

import atexit
import io
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import orjson
import polars as pl

from freehold.domain.columns import Column, Columns
from freehold.domain.errors import RequestInvalid
from freehold.endpoint.parquet_reader import ParquetReader
from freehold.serving.invocations import predictions_body, read_csv, read_invocation
from freehold.serving.open_inference import read_request
from freehold.serving.parquet import request_of
from freehold.serving.plain_rows import read_rows, rows_body
from freehold.serving.prediction_log import Batch, Kinds, log_table
from freehold.serving.request import InferenceRequest, Limits
from freehold.serving.response import Predictions, inference_response
from freehold.serving.rows import check_columns, logged_inputs, matrix_of
from freehold.serving.tensor import DATATYPES

from .changes import changed_head, changed_json, changed_parquet
from .law import Broken, Reading, Target, refusal

LIMITS = Limits(rows=500, tensors=50)
NUMBERS = Columns((Column("distance", "number"), Column("hour", "number")))
MIXED = Columns((Column("distance", "number"), Column("carrier", "category", ("AA", "UA"))))
KINDS: Kinds = {"distance": "number", "hour": "number", "carrier": "category"}
COLUMNS = len(KINDS) + 1
"""With `id`: a row may lack what another has, which is null in it."""
Answering = Callable[[InferenceRequest, Predictions], Any]


def order() -> tuple[str, ...]:
    return NUMBERS.names


def taken(
    data: bytes, request: InferenceRequest, answer: Answering, most: int | None = None
) -> Reading:
    """What becomes of a request that was read: each model takes its rows or says why not; what it
    takes can be logged and answered. `most`: bytes of text in it, where that is not what was sent.
    """
    values = {name: tensor.values for name, tensor in request.tensors.items()}
    if any(len(column) != request.rows for column in values.values()):
        raise Broken("a column has another number of values than there are rows")
    texts = sum(len(one) for column in values.values() for one in column if type(one) is str)
    if texts > (len(data) if most is None else most):
        raise Broken("there is more text in the rows than was sent")
    told: list[Any] = [request._replace(tensors={}), repr(values)]
    for columns in (NUMBERS, MIXED):
        try:
            check_columns(request, columns, KINDS)
            matrix = matrix_of(request, columns, None)
        except RequestInvalid as exc:
            told.append(refusal(exc, data))
            continue
        if not np.isfinite(matrix[~np.isnan(matrix)]).all():
            raise Broken("an infinity reaches the model")
        told.append((matrix.shape, matrix.tobytes()))
        _answered(request, answer)
    return Reading(told, request.rows * len(values))


def _answered(request: InferenceRequest, answer: Answering) -> None:
    ids = list(request.prediction_ids(request.id or "r"))
    scores, versions = [0.5] * request.rows, [1] * request.rows
    batch = Batch(
        prediction_ids=ids,
        request_id=request.id or "r",
        at=0,
        asked_at=request.asked_at or 0,
        model="delay",
        version=1,
        alias="champion",
        routing=1,
        score=scores,
        reference_score=None,
        latency_us=1.0,
        reference_latency_us=None,
        error=None,
        inputs=logged_inputs(request, KINDS, None),
        kinds=KINDS,
    )
    if log_table([batch]).height != request.rows:
        raise Broken("the log has another number of rows")
    answer(request, Predictions("delay", request.id or "r", scores, versions, ids))


def _open_inference(request: InferenceRequest, predictions: Predictions) -> None:
    body, length = inference_response(request, predictions)
    orjson.loads(body[:length])


def json_body(data: bytes) -> Reading:
    return taken(data, read_request(data, LIMITS, order), _open_inference)


def binary_body(data: bytes) -> Reading:
    """The first two bytes say how many of the others are JSON."""
    length, body = int.from_bytes(data[:2], "little"), data[2:]
    return taken(data, read_request(body, LIMITS, order, length), _open_inference)


def invocation(data: bytes) -> Reading:
    request = read_invocation(data, LIMITS, KINDS, order)
    return taken(data, request, lambda _, said: orjson.loads(predictions_body(said)))


def csv_body(data: bytes) -> Reading:
    request = read_csv(data, LIMITS, KINDS)
    return taken(data, request, lambda _, said: orjson.loads(predictions_body(said)))


PARQUET_READER = ParquetReader(LIMITS)
atexit.register(PARQUET_READER.close)


def parquet_body(data: bytes) -> Reading:
    """By a process of its own, as in an endpoint: what the library there reaches is not seen."""
    columns = PARQUET_READER.read(data, (*KINDS, "id"))
    request = request_of(columns, LIMITS, KINDS)
    return taken(
        data, request, lambda _, said: orjson.loads(predictions_body(said)), LIMITS.body_bytes
    )


def plain_rows(data: bytes) -> Reading:
    request, is_one = read_rows(data, LIMITS, KINDS)
    return taken(data, request, lambda _, said: orjson.loads(rows_body(said, is_one)))


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> Any:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


IDS = tensor("id", "BYTES", ["a", "b"])
TWO = [tensor("distance", "FP64", [1.5, None]), tensor("carrier", "BYTES", [["UA"], ["é"]], [2, 1])]
MATRIX = tensor("all", "FP32", [[1, 2.5], [3, -4e3]], [2, 2])
BODIES: tuple[Any, ...] = (
    {"id": "r", "parameters": {"missing": "null"}, "inputs": [*TWO, IDS]},
    {"inputs": [MATRIX], "outputs": [{"name": "score"}]},
    {"inputs": [MATRIX, IDS], "parameters": {"asked_at": 1_600_000_000_000_000}},
    {"inputs": [tensor("distance", "INT64", [-1, 2**40]), tensor("hour", "UINT8", [0, 255])]},
    {"inputs": [tensor("distance", "BOOL", [True]), tensor("hour", "FP16", [0.1])]},
    {"inputs": TWO, "outputs": [{"name": "version", "parameters": {"binary_data": True}}]},
)
JSON_WORDS = (
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"null",
        b"true",
        b"\\ud800",
        b"\\u0000",
        b"18446744073709551616",
    ),
    *(f'"{name}"'.encode() for name in (*KINDS, "id", "missing", "asked_at", "parameters")),
)
TENSOR_WORDS = (
    *JSON_WORDS,
    *(f'"{name}"'.encode() for name in DATATYPES),
    *(f'"{name}"'.encode() for name in ("inputs", "outputs", "shape", "data", "datatype", "name")),
    *(b'"binary_data_size"', b'"binary_data"', b'"binary_data_output"', b'"shared_memory_region"'),
)


def binary_seed(described: list[Any], raw: bytes, **more: Any) -> bytes:
    head = json.dumps({"inputs": described, **more}).encode()
    return len(head).to_bytes(2, "little") + head + raw


def described(name: str, datatype: str, shape: list[int], size: int) -> Any:
    parameters = {"binary_data_size": size}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}


BINARY_SEEDS = (
    binary_seed([described("all", "FP32", [2, 2], 16)], np.array([1, 2, 3, 4], "<f4").tobytes()),
    binary_seed(
        [described("distance", "FP64", [1], 8), described("carrier", "BYTES", [1], 6)],
        np.array([np.nan], "<f8").tobytes() + b"\x02\x00\x00\x00UA",
        parameters={"missing": "null", "binary_data_output": True},
    ),
    binary_seed(
        [described("distance", "INT16", [2], 4), tensor("hour", "INT8", [1, 2])], b"\1\0\2\0"
    ),
    binary_seed([described("hour", "BOOL", [3, 1], 3)], b"\0\1\1", parameters={"missing": "null"}),
)
SPLIT = {"columns": ["distance", "hour"], "index": [0, 1], "data": [[1, 2], [3, None]]}
INVOCATIONS: tuple[Any, ...] = (
    {"dataframe_split": SPLIT},
    {"dataframe_split": {"data": [[1, 2]]}, "params": {"asked_at": 5}},
    {"dataframe_records": [{"distance": 1, "hour": 2, "id": "a"}, {"hour": 3, "id": "b"}]},
    {"instances": [[1, 2], [3, 4]]},
    {"instances": [{"distance": 1.5, "carrier": "UA"}, {"distance": None, "carrier": None}]},
    {"inputs": {"distance": [1, 2], "hour": [[3], [4]]}, "params": {"missing": "null"}},
    {"inputs": {"distance": 1, "hour": 4}},
)
CSV_SEEDS = (
    b"distance,hour\r\n1.5,2\r\n,NaN\r\n",
    b'id,distance,carrier,other\na,1e3,"U""A",x\nb,-.5,"two\nlines",\n',
    b"\xef\xbb\xbfhour,distance\n 7 ,inf\n",
)


def parquet(columns: dict[str, Any], **ways: Any) -> bytes:
    made = io.BytesIO()
    pl.DataFrame(columns).write_parquet(made, **ways)
    return made.getvalue()


PARQUET_SEEDS = (
    parquet({"distance": [1.5, None], "hour": [2, 3]}, compression="uncompressed"),
    parquet(
        {"distance": [1, 2, 3], "carrier": pl.Series(["UA", None, "é"], dtype=pl.Categorical)},
        row_group_size=2,
        metadata={"pandas": '{"index_columns": ["hour", {"kind": "range"}]}'},
    ),
    parquet({"id": ["a", "b"], "hour": [True, None], "other": [[1], []]}, compression="gzip"),
)
ROWS: tuple[Any, ...] = (
    {"distance": 1.5, "hour": 2},
    [{"distance": 1, "carrier": "UA", "id": "a"}, {"distance": None, "carrier": "é", "id": "b"}],
)


def written(values: tuple[Any, ...]) -> tuple[bytes, ...]:
    nearly = (json.dumps({**values[0], "\ud800": float("nan")}).encode(),)
    return (*(json.dumps(value).encode() for value in values), *nearly)


of_rows = partial(Target, size_each=COLUMNS, words=JSON_WORDS)
of_json = partial(of_rows, change=changed_json)
REQUESTS = {
    "open-inference": Target(
        "a body of the Open Inference Protocol",
        json_body,
        written(BODIES),
        TENSOR_WORDS,
        change=changed_json,
    ),
    "open-inference-binary": Target(
        "the same with binary data behind it",
        binary_body,
        BINARY_SEEDS,
        TENSOR_WORDS,
        change=changed_head,
    ),
    "invocations": of_json(
        "a body of /invocations, JSON",
        invocation,
        written(INVOCATIONS),
        words=(
            *JSON_WORDS,
            *(f'"{name}"'.encode() for name in ("dataframe_split", "dataframe_records")),
            *(f'"{name}"'.encode() for name in ("instances", "inputs", "params", "columns")),
            *(f'"{name}"'.encode() for name in ("index", "data")),
        ),
    ),
    "invocations-csv": of_rows(
        "the same, CSV", csv_body, CSV_SEEDS, words=(b"distance", b"hour", b"id", b"inf", b"NaN")
    ),
    "invocations-parquet": Target(
        "the same, Parquet",
        parquet_body,
        PARQUET_SEEDS,
        (*(name.encode() for name in (*KINDS, "id", "PAR1", "pandas", "index_columns")),),
        # What is the same in all rows is there once.
        size_each=LIMITS.rows * COLUMNS,
        of_counts=10,
        change=changed_parquet,
    ),
    "plain-rows": of_json("a row, or a list of rows", plain_rows, written(ROWS)),
}
