"""The plain protocol: a list of objects in, a list of objects out, in their order; or one of each.

A row has the model's columns by name, null for what is missing, and may have `id`.
"""

from typing import Any

import orjson

from freehold.serving.document import read_json
from freehold.serving.prediction_log import Kinds
from freehold.serving.request import InferenceRequest, Limits, check_rows, invalid, made_request
from freehold.serving.response import Predictions
from freehold.serving.table import lists_of_rows, tensors_of


def read_rows(body: bytes, limits: Limits, kinds: Kinds) -> tuple[InferenceRequest, bool]:
    """And whether it was one row, not a list. `kinds`: of every column that some model takes.

    Raises RequestInvalid: `request.malformed`, `request.not-finite`, `request.wrong-shape`,
    `request.wrong-type`, `request.duplicate`, `request.column-missing`, `request.too-many-rows`.
    """
    value = read_json(body)
    is_one = type(value) is dict
    rows = [value] if is_one else value
    if type(rows) is not list:
        raise invalid("request.malformed", "the body must be a row or a list of rows")
    check_rows(len(rows), limits, "rows")
    lists = lists_of_rows(rows, kinds, "rows", fill=False)
    return made_request(tensors_of(lists, kinds), limits), is_one


def rows_body(predictions: Predictions, is_one: bool) -> bytes:
    rows: list[dict[str, Any]] = [
        {"score": score, "version": version, "prediction_id": name}
        for score, version, name in zip(
            predictions.scores, predictions.versions, predictions.prediction_ids, strict=True
        )
    ]
    return orjson.dumps(rows[0] if is_one else rows)
