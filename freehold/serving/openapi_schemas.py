"""What the OpenAPI document says of bodies: JSON Schema 2020-12."""

from collections.abc import Sequence
from typing import Any

from freehold.serving.prediction_log import Kinds
from freehold.serving.request import ID, ID_LENGTH, OUTPUTS
from freehold.serving.response import DATATYPES
from freehold.serving.tensor import DATATYPES as INPUT_DATATYPES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}


def reference(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}


def schemas(kinds: Kinds) -> dict[str, Any]:
    value = {"type": ["number", "boolean", "string", "null"]}
    columns = {name: _value(kind) for name, kind in kinds.items()}
    row = {"type": "object", "properties": {**columns, ID: {"type": "string", "minLength": 1}}}
    prediction = _object(score={"type": "number"}, version={"type": "integer"}, prediction_id=TEXT)
    return {
        "Row": row,
        "Rows": _either(reference("Row"), _list(reference("Row"), least=1)),
        "PredictedRow": prediction,
        "PredictedRows": _either(
            reference("PredictedRow"), _list(reference("PredictedRow"), least=1)
        ),
        **_inference_schemas(value),
        **_invocation_schemas(value),
        **_server_schemas(),
        "Error": _object(
            optional=("because", "faults", "error_code", "message"),
            error=TEXT,
            code=TEXT,
            because=TEXT,
            faults=_list(_object(code=TEXT, what=TEXT, where=TEXT, hint=TEXT)),
            error_code=TEXT,
            message=TEXT,
        ),
    }


def _inference_schemas(value: Schema) -> dict[str, Any]:
    shape = {"type": "array", "items": COUNT, "minItems": 1, "maxItems": 2}
    parameters = {
        "type": ["object", "null"],
        "properties": {
            "missing": {"enum": ["null", None]},
            "asked_at": {"type": ["integer", "null"], "minimum": 0},
            "binary_data_output": _FLAG,
        },
    }
    sized = {"type": ["object", "null"], "properties": {"binary_data_size": COUNT}}
    return {
        "InferenceRequest": _object(
            optional=("id", "parameters", "outputs"),
            closed=False,
            id={"type": ["string", "null"], "maxLength": ID_LENGTH},
            parameters=parameters,
            inputs=_list(reference("InputTensor"), least=1),
            outputs={"anyOf": [{"type": "null"}, _list(reference("AskedOutput"))]},
        ),
        "InputTensor": _object(
            optional=("data", "parameters"),
            closed=False,
            name={"type": "string", "minLength": 1},
            datatype={"enum": list(INPUT_DATATYPES)},
            shape=shape,
            data=_list({"anyOf": [value, _list(value)]}),
            parameters=sized,
        ),
        "AskedOutput": _object(
            optional=("parameters",),
            closed=False,
            name={"enum": list(OUTPUTS)},
            parameters={"type": ["object", "null"], "properties": {"binary_data": _FLAG}},
        ),
        "InferenceResponse": _object(
            optional=("model_version",),
            model_name=TEXT,
            model_version=TEXT,
            id=TEXT,
            outputs=_list(reference("OutputTensor"), least=1),
        ),
        "OutputTensor": _object(
            optional=("data", "parameters"),
            name={"enum": list(OUTPUTS)},
            datatype={"enum": sorted(set(DATATYPES.values()))},
            shape=shape,
            data=_list({"type": ["number", "string"]}),
            parameters=_object(binary_data_size=COUNT),
        ),
        "ModelMetadata": _object(
            name=TEXT,
            versions=_list(TEXT, least=1),
            platform=TEXT,
            inputs=_list(reference("MetadataTensor"), least=1),
            outputs=_list(reference("MetadataTensor"), least=1),
        ),
        "MetadataTensor": _object(
            optional=("parameters",),
            name=TEXT,
            datatype={"enum": list(INPUT_DATATYPES)},
            shape=_list({"const": -1}, least=1),
            parameters={"type": "object", "properties": {"optional": {"const": True}}},
        ),
        "ModelReady": _object(name=TEXT, ready=_FLAG),
    }


def _invocation_schemas(value: Schema) -> dict[str, Any]:
    rows = _list({"anyOf": [value, _list(value), {"type": "object"}]}, least=1)
    params = {"params": {"type": ["object", "null"]}}
    split = _object(
        optional=("columns", "index"),
        columns={"anyOf": [{"type": "null"}, _list({"type": ["string", "integer"]})]},
        index={"type": ["array", "null"]},
        data=_list({"anyOf": [value, _list({})]}, least=1),
    )
    tensor = _either({"type": "object"}, rows)
    records = _list({"type": "object"}, least=1)
    shapes = {
        "dataframe_split": split,
        "dataframe_records": records,
        "instances": tensor,
        "inputs": tensor,
    }
    return {
        "Invocation": {
            "oneOf": [
                {"type": "object", "properties": {name: schema, **params}, "required": [name]}
                for name, schema in shapes.items()
            ]
        },
        "Invoked": _object(
            predictions=_list({"type": "number"}, least=1),
            model=TEXT,
            versions=_list({"type": "integer"}, least=1),
            prediction_ids=_list(TEXT, least=1),
        ),
    }


def _server_schemas() -> dict[str, Any]:
    variant = _object(
        alias=TEXT, digest=TEXT, version={"type": "integer"}, weight={"type": "number"}
    )
    return {
        "Server": _object(name=TEXT, version=TEXT, extensions=_list(TEXT)),
        "Live": _object(live=_FLAG),
        "Ready": _object(
            ready=_FLAG,
            log=_object(alive=_FLAG, failure=TEXT),
            routing=reference("Routing"),
        ),
        "Routing": _object(
            optional=("log", "shadow"),
            model=TEXT,
            log=_object(
                ids=_FLAG,
                key=TEXT,
                personal=_list(TEXT),
                sample={"type": "number"},
                whole=_FLAG,
            ),
            shadow=_object(share={"type": "number"}, version={"type": "integer"}),
            reference={"type": ["integer", "null"]},
            salt=TEXT,
            variants=_list(variant, least=1),
            version={"type": "integer"},
            key=TEXT,
            folder=TEXT,
            refused={"anyOf": [{"type": "null"}, _object(code=TEXT, error=TEXT, because=TEXT)]},
        ),
        "Flushed": _object(rows=COUNT, dropped=COUNT, parts=COUNT),
        "Document": _object(closed=False, openapi=TEXT, info={"type": "object"}),
    }


def _value(kind: str) -> Schema:
    return {"type": ["string", "null"] if kind == "category" else ["number", "boolean", "null"]}


def _list(items: Schema, least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


def _either(*schemas: Schema) -> dict[str, Any]:
    return {"anyOf": list(schemas)}


def _object(*, optional: Sequence[str] = (), closed: bool = True, **properties: Schema) -> Any:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        **({"additionalProperties": False} if closed else {}),
    }
