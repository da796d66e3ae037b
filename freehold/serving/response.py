"""What the endpoint says: Open Inference Protocol, version 2, REST."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from freehold.domain.columns import Columns
from freehold.domain.errors import FreeholdError
from freehold.domain.routing import RoutingTable
from freehold.serving.request import ID, InferenceRequest

PLATFORM = "freehold_package"


def inference_response(
    request: InferenceRequest,
    *,
    model: str,
    request_id: str,
    scores: Sequence[float],
    versions: Sequence[int],
    prediction_ids: Sequence[str],
) -> dict[str, Any]:
    """`model_version` stands in it only if one version answered all rows."""
    rows = [request.rows]
    outputs = {
        "score": {"name": "score", "datatype": "FP64", "shape": rows, "data": scores},
        "version": {"name": "version", "datatype": "INT64", "shape": rows, "data": versions},
        "prediction_id": {
            "name": "prediction_id",
            "datatype": "BYTES",
            "shape": rows,
            "data": prediction_ids,
        },
    }
    response = {
        "model_name": model,
        "id": request_id,
        "outputs": [outputs[name] for name in request.outputs],
    }
    if len(set(versions)) == 1:
        response["model_version"] = str(versions[0])
    return response


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
            {"name": "score", "datatype": "FP64", "shape": [-1]},
            {"name": "version", "datatype": "INT64", "shape": [-1]},
            {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
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
