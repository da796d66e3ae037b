"""What the endpoint says: Open Inference Protocol, version 2, REST, and what all protocols say."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import orjson

from freehold.domain.columns import Columns
from freehold.domain.errors import FreeholdError
from freehold.domain.routing import RoutingTable
from freehold.serving.binary_tensor import bytes_of
from freehold.serving.request import ID, InferenceRequest

PLATFORM = "freehold_package"
DATATYPES = {"score": "FP64", "version": "INT64", "prediction_id": "BYTES"}
"""Of the outputs."""


class Predictions(NamedTuple):
    """The answer to one request."""

    model: str
    request_id: str
    scores: Sequence[float]
    """[rows], as the two that follow."""
    versions: Sequence[int]
    prediction_ids: Sequence[str]


def inference_response(
    request: InferenceRequest, predictions: Predictions
) -> tuple[bytes, int | None]:
    """The body, and how many bytes of it are JSON, if not all.

    `model_version` stands in it only if one version answered all rows.
    """
    values: dict[str, Sequence[Any]] = {
        "score": predictions.scores,
        "version": predictions.versions,
        "prediction_id": predictions.prediction_ids,
    }
    rows = [request.rows]
    outputs: list[dict[str, Any]] = [
        {"name": name, "datatype": DATATYPES[name], "shape": rows, "data": values[name]}
        for name in request.outputs
    ]
    response = {"model_name": predictions.model, "id": predictions.request_id, "outputs": outputs}
    if len(set(predictions.versions)) == 1:
        response["model_version"] = str(predictions.versions[0])
    if not request.binary:
        return orjson.dumps(response), None
    parts = []
    for output in outputs:
        if output["name"] in request.binary:
            parts.append(bytes_of(output["datatype"], output.pop("data")))
            output["parameters"] = {"binary_data_size": len(parts[-1])}
    head = orjson.dumps(response)
    return b"".join([head, *parts]), len(head)


def model_metadata(model: str, versions: Sequence[int], inputs: Sequence[Columns]) -> Any:
    """`inputs`: of each version; a column that several need stands once."""
    columns = {column.name: column for one in inputs for column in one.columns}
    return {
        "name": model,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": [
            *(
                {
                    "name": column.name,
                    "datatype": "BYTES" if column.kind == "category" else "FP64",
                    "shape": [-1],
                }
                for column in columns.values()
            ),
            {"name": ID, "datatype": "BYTES", "shape": [-1], "parameters": {"optional": True}},
        ],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1]}
            for name, datatype in DATATYPES.items()
        ],
    }


@dataclass(frozen=True)
class Identity:
    """Whose endpoint this is: it answers for one site, out of one serving folder."""

    key: str
    """Fingerprint of the site's public key, `sha256:…`, as PublicKey has it."""
    folder: str
    """Path of the serving folder, absolute, links resolved."""


def routing_state(
    table: RoutingTable, refused: FreeholdError | None, identity: Identity
) -> dict[str, Any]:
    """What is being served, by whose endpoint, and why a newer table is not."""
    return {
        **table.as_json(),
        **asdict(identity),
        "refused": None
        if refused is None
        else {"code": refused.code, "error": refused.what, "because": refused.why},
    }


def error_response(error: FreeholdError) -> dict[str, Any]:
    """`error` as the protocol has it; the rest is ours."""
    response: dict[str, Any] = {"error": error.what, "code": error.code}
    if error.why:
        response["because"] = error.why
    if error.faults:
        response["faults"] = [
            {"code": f.code, "what": f.what, "where": f.where, "hint": f.hint}
            for f in error.faults[:20]
        ]
    return response
