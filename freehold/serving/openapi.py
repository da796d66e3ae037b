"""The OpenAPI document of an endpoint, version 3.1: every route, what it takes, what it answers.

Bodies are described as far as they are JSON; binary data follow as the protocol's extension says.
"""

from dataclasses import dataclass
from typing import Any

from freehold.serving.invocations import CSV
from freehold.serving.openapi_schemas import COUNT, TEXT, Schema, reference, schemas
from freehold.serving.parquet import PARQUET
from freehold.serving.prediction_log import Kinds

_JSON = "application/json"
_OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class _Operation:
    method: str
    summary: str
    answer: str = ""
    """Name of a schema; empty for text."""
    body: str = ""
    """Name of a schema; empty for none."""
    kinds: tuple[str, ...] = (_JSON,)
    """Media types of the answer, and of the body as far as the schema describes it."""
    also: tuple[str, ...] = ()
    """Further statuses that answer like 200."""
    tables: bool = False
    """Whether the body may be a table, too: text with commas, or Parquet."""


_MODEL = "/v2/models/{model}"
_PINNED = "/v2/models/{model}/versions/{version}"
_INFER = _Operation(
    "post",
    "Predict, by the Open Inference Protocol",
    "InferenceResponse",
    "InferenceRequest",
    (_JSON, _OCTETS),
)
_METADATA = _Operation("get", "What the model takes and gives", "ModelMetadata")
_INVOKED = _Operation(
    "post", "Predict, by the scoring protocol of MLflow", "Invoked", "Invocation", tables=True
)
_READY = _Operation("get", "Whether the model answers", "ModelReady")
_PING = _Operation("get", "Whether the endpoint is ready", also=("503",))
_OPERATIONS = {
    f"{_MODEL}/infer": _INFER,
    f"{_PINNED}/infer": _INFER,
    "/invocations": _INVOKED,
    "/endpoints/{model}/invocations": _INVOKED,
    "/v1/models/{model}/predict": _Operation(
        "post", "Predict for one row or a list of rows", "PredictedRows", "Rows"
    ),
    _MODEL: _METADATA,
    _PINNED: _METADATA,
    f"{_MODEL}/ready": _READY,
    f"{_PINNED}/ready": _READY,
    "/v2": _Operation("get", "What the server is", "Server"),
    "/v2/health/live": _Operation("get", "Whether the endpoint runs", "Live"),
    "/v2/health/ready": _Operation(
        "get", "Whether the endpoint is ready, and why not", "Ready", also=("400",)
    ),
    "/ping": _PING,
    "/health": _PING,
    "/version": _Operation("get", "Version of the endpoint"),
    "/metrics": _Operation("get", "Metrics for Prometheus"),
    "/openapi.json": _Operation("get", "This document", "Document"),
    "/freehold/routing": _Operation("get", "What is served, and by whose endpoint", "Routing"),
    "/freehold/log/flush": _Operation(
        "post", "Write the request log, from this machine only", "Flushed"
    ),
    "/freehold/process/flush": _Operation(
        "post", "The same, of the process that answers alone", "Flushed"
    ),
    "/freehold/process/metrics": _Operation("get", "Metrics of the process that answers alone"),
}


def openapi(model: str, kinds: Kinds, version: str) -> dict[str, Any]:
    """Of the endpoint that answers for `model`; `kinds`: of every column that a version takes."""
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Predictions of {model}", "version": version},
        "paths": {
            path: {operation.method: _described(path, operation)}
            for path, operation in _OPERATIONS.items()
        },
        "components": {"schemas": schemas(kinds)},
    }


def _described(path: str, operation: _Operation) -> dict[str, Any]:
    schema = reference(operation.answer) if operation.answer else TEXT
    kinds = operation.kinds if operation.answer else ("text/plain",)
    answer = {"description": operation.summary, "content": _content(schema, kinds)}
    refused = {"description": "Refused, or failed", "content": _content(reference("Error"))}
    described: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": _parameters(path),
        "responses": {
            **dict.fromkeys(("200", *operation.also), answer),
            "default": refused,
        },
    }
    if operation.body:
        content = _content(reference(operation.body), operation.kinds)
        if operation.tables:
            # Bytes have no schema: their media type says all.
            content |= {CSV: {"schema": TEXT}, PARQUET: {}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _content(schema: Schema, kinds: tuple[str, ...] = (_JSON,)) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind in kinds}


def _parameters(path: str) -> list[Schema]:
    found: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in ("model", "version")
        if f"{{{name}}}" in path
    ]
    if path.endswith("/infer"):
        what = "How many bytes of the body are JSON, if binary data follow."
        name = "Inference-Header-Content-Length"
        found.append({"name": name, "in": "header", "schema": COUNT, "description": what})
    return found
