"""`/invocations`, the scoring protocol of MLflow's model server, in JSON and CSV.

Source: MLflow's documentation, "Deploy MLflow Model as a Local Inference Server", section on the
inference server's specification; version 2 of the protocol, as MLflow 2 and 3 have it.

Two things are stricter than there: a column that the model takes and the request lacks is an error
unless `params` say `"missing": "null"`, and an infinity is none. NaN is null in both.
"""

import csv
import math
import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import orjson

from freehold.domain.errors import Fault, FreeholdError
from freehold.serving.document import NOT_FINITE, read_json_with_nan
from freehold.serving.prediction_log import Kinds
from freehold.serving.request import (
    InferenceRequest,
    Limits,
    check_rows,
    invalid,
    made_request,
    raise_any,
    read_parameters,
)
from freehold.serving.response import Predictions, error_response
from freehold.serving.table import (
    Lists,
    check_names,
    lists_of_columns,
    lists_of_matrix,
    lists_of_rows,
    tensors_of,
)

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
JSON = "application/json"
CSV = "text/csv"
NULLS = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "n/a", "NULL", "null", "None"}
    | {"NaN", "-NaN", "nan", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
)
"""What pandas reads as missing unless it is told otherwise, and so what that server does."""
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_TOLD = 20
"""Faults of one body."""
_INFINITY = re.compile(r"\s*[+-]?inf(inity)?\s*", re.ASCII | re.IGNORECASE)

Order = Callable[[], Sequence[str]]


def read_invocation(body: bytes, limits: Limits, kinds: Kinds, order: Order) -> InferenceRequest:
    """JSON. `kinds`: of every column that some model takes; `order`: gives the columns of rows
    that come without names.

    Raises RequestInvalid: `request.malformed`, `request.not-finite`, `request.wrong-shape`,
    `request.wrong-type`, `request.duplicate`, `request.column-missing`, `request.too-many-rows`.
    """
    value = read_json_with_nan(body)
    given = [name for name in FORMATS if name in value] if type(value) is dict else []
    if len(given) != 1:
        what = f"the body must be an object with one of {', '.join(FORMATS)}"
        why = f"it has {' and '.join(given) or 'none of them'}"
        raise invalid("request.malformed", what, why)
    said = read_parameters(value.get("params"), "params")
    (name,) = given
    if name == "dataframe_split":
        lists = _of_split(value[name], limits, kinds, order)
    elif name == "dataframe_records":
        lists = lists_of_rows(_list(value[name], name, limits), kinds, name, fill=True)
    else:
        lists = _of_tensor(value[name], name, limits, kinds, order)
    return made_request(tensors_of(lists, kinds), limits, said=said)


def read_csv(body: bytes, limits: Limits, kinds: Kinds) -> InferenceRequest:
    """A header, then rows; an empty field, and what pandas takes for missing, is null.

    Raises RequestInvalid: `request.malformed`, `request.not-finite`, `request.wrong-shape`,
    `request.wrong-type`, `request.duplicate`, `request.too-many-rows`.
    """
    try:
        text = str(body, "utf-8-sig")
    except UnicodeDecodeError as exc:
        raise invalid("request.malformed", "the body is not UTF-8", str(exc)) from exc
    rows: list[list[str]] = []
    try:
        for row in csv.reader(StringIO(text, newline=""), strict=True):
            if row:
                rows.append(row)
            if len(rows) > limits.rows + 1:
                raise invalid("request.too-many-rows", f"there are more than {limits.rows} rows")
    except csv.Error as exc:
        raise invalid("request.malformed", "the body is not CSV", str(exc)) from exc
    if not rows:
        raise invalid("request.malformed", "the body has no line that names the columns")
    names, *rows = rows
    check_names([name for name in names if name], "the first line")
    check_rows(len(rows), limits, "the body")
    lists = lists_of_matrix(rows, names, kinds, "row")
    return made_request(tensors_of(_read_texts(lists, kinds), kinds), limits)


def predictions_body(predictions: Predictions) -> bytes:
    """What that server answers, and beside it what ours adds."""
    return orjson.dumps(
        {
            "predictions": predictions.scores,
            "model": predictions.model,
            "versions": predictions.versions,
            "prediction_ids": predictions.prediction_ids,
        }
    )


def error_of(error: FreeholdError, status: int) -> dict[str, Any]:
    """Ours, and beside it the two keys under which that server's clients look."""
    name = "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"
    return {**error_response(error), "error_code": name, "message": error.what}


def _of_split(value: Any, limits: Limits, kinds: Kinds, order: Order) -> Lists:
    where = "dataframe_split"
    if (
        type(value) is not dict
        or "data" not in value
        or value.keys() - {"columns", "data", "index"}
    ):
        what = f"'{where}' must be an object of 'data', 'columns' and 'index', the last optional"
        raise invalid("request.malformed", what)
    rows = _list(value["data"], f"{where}.data", limits)
    index = value.get("index")
    if index is not None and (type(index) is not list or len(index) != len(rows)):
        raise invalid("request.wrong-shape", f"'{where}.index' must name {len(rows)} rows")
    names = value.get("columns")
    # A data frame whose columns have no names has their numbers there.
    if names is None or (names and names == list(range(len(order())))):
        names = order()
    elif type(names) is not list:
        raise invalid("request.malformed", f"'{where}.columns' must be a list")
    else:
        check_names(names, f"{where}.columns")
    return lists_of_matrix(rows, names, kinds, f"{where}.data")


def _of_tensor(value: Any, where: str, limits: Limits, kinds: Kinds, order: Order) -> Lists:
    if type(value) is dict:
        return lists_of_columns(value, kinds, where)
    rows = _list(value, where, limits)
    if type(rows[0]) is dict:
        return lists_of_rows(rows, kinds, where, fill=False)
    return lists_of_matrix(rows, order(), kinds, where)


def _list(value: Any, where: str, limits: Limits) -> list[Any]:
    if type(value) is not list:
        raise invalid("request.malformed", f"'{where}' must be a list of rows")
    check_rows(len(value), limits, where)
    return value


def _read_texts(lists: Mapping[str, list[str]], kinds: Kinds) -> Lists:
    faults: list[Fault] = []
    read: dict[str, list[Any]] = {}
    for name, texts in lists.items():
        values: list[Any] = [None if text in NULLS else text for text in texts]
        if kinds.get(name) == "number":
            values = [_number(text, name, row, faults) for row, text in enumerate(values)]
        read[name] = values
    raise_any(faults)
    return read


def _number(text: str | None, name: str, row: int, faults: list[Fault]) -> float | None:
    if text is None or len(faults) >= _TOLD:
        return None
    value = float(text) if _NUMBER.fullmatch(text) else None
    if value is not None and math.isfinite(value):
        return value
    if value is not None or _INFINITY.fullmatch(text):
        faults.append(Fault(NOT_FINITE, f"holds an infinity in row {row}", name))
    else:
        what = f"must be a number, not {text!r:.40}, in row {row}"
        faults.append(Fault("request.wrong-type", what, name))
    return None
