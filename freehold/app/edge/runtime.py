"""What answers from a package, chosen where the bundle is made and named in it."""

from pathlib import Path

from freehold.app import adapters
from freehold.domain.embedded import EMBEDDED
from freehold.domain.errors import NotSupported
from freehold.ports.model_runtime import Elsewhere, ModelRuntime

PORT = "model_runtime"


def runtime_of(payload: Path, asked: str = "") -> str:
    """The name of the adapter that answers, in its own process, when `asked` loads the package;
    empty: the embedded one.

    Raises AdapterMissing, IntegrityError; NotSupported `bundle.runtime` for a model that answers in
    a process of its own.
    """
    name = asked or EMBEDDED[PORT]
    made: ModelRuntime = adapters.load(PORT, name)()
    predictor = made.load(payload)
    if isinstance(predictor, Elsewhere):
        raise NotSupported(
            "this model answers in a process of its own",
            why=f"the runtime '{name}' starts another interpreter, which a bundle does not have",
            hint="make a package that answers within the endpoint: with an ONNX model, or of"
            " LightGBM, XGBoost or scikit-learn",
            code="bundle.runtime",
        )
    package = _package(type(predictor).__module__)
    for known in adapters.names(PORT):
        if _package(adapters.entry(PORT, known).module) == package:
            return known
    return name


def _package(module: str) -> str:
    """Each adapter has its own, and what it makes comes from there."""
    return module.rpartition(".")[0]
