"""Find the adapters that answering needs, by name; import one only when it is used."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from freehold.domain.errors import AdapterMissing
from freehold.ports.model_runtime import ModelRuntime
from freehold.ports.model_signing import ModelSigning

EXTRAS = {"signing": "signing", "onnx": "onnx", "lightgbm": "lightgbm"}


def model_runtime(name: str) -> ModelRuntime:
    """Raises AdapterMissing."""
    made: ModelRuntime = _load("model_runtime", name)()
    return made


def model_signing(name: str = "signing") -> ModelSigning:
    """Raises AdapterMissing."""
    made: ModelSigning = _load("model_signing", name)()
    return made


def object_store(name: str) -> Any:
    """The class, which opens a store of its kind. Raises AdapterMissing."""
    return _load("object_store", name)


def grpc_server() -> Any:
    """The class GrpcServer. Raises AdapterMissing: gRPC's libraries are an extra."""
    try:
        return import_module("freehold.endpoint.grpc.server").GrpcServer
    except ImportError as exc:
        raise AdapterMissing(
            "the gRPC server needs a package that is not installed",
            why=str(exc),
            hint="pip install 'freehold[grpc]'",
        ) from exc


def _load(port: str, name: str) -> Any:
    found = entry_points(group=f"freehold.{port}")
    spoken = port.replace("_", " ")
    if name not in found.names:
        raise AdapterMissing(
            f"no {spoken} adapter is named '{name}'",
            why=f"there are: {', '.join(sorted(found.names)) or 'none'}",
            code="adapter.unknown",
        )
    try:
        return found[name].load()
    except ImportError as exc:
        raise AdapterMissing(
            f"the {spoken} adapter '{name}' needs a package that is not installed",
            why=str(exc),
            hint=f"pip install 'freehold[{EXTRAS.get(name, name)}]'",
        ) from exc
