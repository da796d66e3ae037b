"""The files by which MLflow knows a package: MLmodel, environments, signature.

Source: MLflow's description of its model format (MLmodel, conda.yaml, python_env.yaml,
requirements.txt), written for MLflow 3.10 and later. What MLflow would fill in by clock or by
chance (time, run, identifier) is left out; it loads without.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from freehold.domain.columns import Columns
from freehold.domain.package import ONNX_MODEL, REQUIREMENTS, ModelFlavor

CODE = "code"
CONDA = "conda.yaml"
PYTHON_ENVIRONMENT = "python_env.yaml"
_MLFLOW = "3.10.0"
_MLFLOW_REQUIREMENT = "mlflow>=3.10,<4"
_PLAIN_TYPES = {"number": "double", "category": "string"}


def manifest(
    flavor: ModelFlavor, columns: Columns, python: str, loader_module: str, has_onnx: bool
) -> bytes:
    """MLmodel. `python` is the version that the model was made with, as `3.11.7`."""
    flavors: dict[str, Any] = {
        flavor.name: {**flavor.metadata, "data": flavor.model_file},
        "python_function": {
            "code": CODE,
            "env": {"conda": CONDA, "virtualenv": PYTHON_ENVIRONMENT},
            "loader_module": loader_module,
            "python_version": python,
        },
    }
    if has_onnx:
        flavors["onnx"] = {"data": ONNX_MODEL, "providers": ["CPUExecutionProvider"]}
    return _yaml({"flavors": flavors, "mlflow_version": _MLFLOW, "signature": _signature(columns)})


def requirement_lines(flavor: ModelFlavor) -> tuple[str, ...]:
    """Sorted; what the framework pins, and MLflow itself."""
    return tuple(sorted({*flavor.requirements, _MLFLOW_REQUIREMENT}))


def environment_files(flavor: ModelFlavor, python: str) -> dict[str, bytes]:
    lines = requirement_lines(flavor)
    conda = {
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": list(lines)}],
        "name": "model",
    }
    virtual = {
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": [f"-r {REQUIREMENTS}"],
        "python": python,
    }
    return {
        REQUIREMENTS: "".join(f"{line}\n" for line in lines).encode(),
        CONDA: _yaml(conda),
        PYTHON_ENVIRONMENT: _yaml(virtual),
    }


def _signature(columns: Columns) -> dict[str, str | None]:
    """Every column may be absent: a model reads what it lacks as missing."""
    inputs = [
        {"name": column.name, "required": False, "type": _PLAIN_TYPES[column.kind]}
        for column in columns.columns
    ]
    outputs = [{"tensor-spec": {"dtype": "float64", "shape": [-1]}, "type": "tensor"}]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}


def _yaml(value: Mapping[str, Any]) -> bytes:
    """Block YAML with sorted keys and JSON scalars, which YAML 1.2 contains."""
    return ("\n".join(_block(value)) + "\n").encode()


def _block(value: Mapping[str, Any] | Sequence[Any]) -> list[str]:
    lines = []
    entries = (
        [(f"{key}:", value[key]) for key in sorted(value)]
        if isinstance(value, Mapping)
        else [("-", item) for item in value]
    )
    for lead, item in entries:
        if isinstance(item, Mapping | list):
            lines += [lead, *(f"  {line}" for line in _block(item))]
        else:
            lines.append(f"{lead} {json.dumps(item)}")
    return lines
