"""Graphs as one ZIP, each model in it as its own library's codec writes it."""

from pathlib import Path
from typing import Any

from freehold.adapters.graph.archive import StoredModel, read, written
from freehold.adapters.graph.entries import CODECS, FRAMEWORKS, adapter, names
from freehold.domain.columns import Columns
from freehold.domain.errors import (
    AdapterFailed,
    Fault,
    FreeholdError,
    IntegrityError,
    NotSupported,
    PipelineInvalid,
)
from freehold.domain.model_graph import ModelGraph
from freehold.domain.model_graph_part import Trained
from freehold.domain.stored_type import describe, homes
from freehold.ports.codec import Codec


class GraphCodec(Codec):
    format = "graph"

    def encode(self, value: Any) -> bytes:
        """Raises NotSupported with every model that cannot be stored."""
        if not isinstance(value, ModelGraph):
            raise NotSupported(
                f"a {type(value).__name__} is not stored as a graph of models",
                code="codec.unsupported",
                hint="return ModelGraph(columns, …) around the whole",
            )
        models: dict[str, StoredModel] = {}
        faults: list[Fault] = []
        for name, trained in value.models.items():
            try:
                models[name] = _stored(trained)
            except FreeholdError as exc:
                what = f"the model '{name}': {exc.what}" + (f": {exc.why}" if exc.why else "")
                faults.append(Fault(exc.code, what, trained.where, exc.hint))
        if faults:
            raise NotSupported(
                "models of the graph cannot be stored", code="codec.unsupported", faults=faults
            )
        return written(value, models)

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del kind
        try:
            stored = read(data)
        except AdapterFailed as exc:
            raise IntegrityError(
                exc.what, why=exc.why, code="artifact.unreadable", faults=exc.faults
            ) from exc
        models = {
            name: Trained(_codec(one.format).decode(one.data, Any, workspace), one.columns)
            for name, one in stored.models.items()
        }
        return ModelGraph(stored.columns, stored.part(models)[0])


def _stored(trained: Trained) -> StoredModel:
    if not isinstance(trained.columns, Columns):
        raise PipelineInvalid(
            f"its columns are a {type(trained.columns).__name__}",
            hint="give the Columns that it was fitted on",
            code="graph.model",
        )
    frameworks = names(FRAMEWORKS) - {GraphCodec.format}
    for name in homes(type(trained.model)):
        if name in names(CODECS):
            codec = _codec(name)
            if codec.format in frameworks:
                return StoredModel(codec.encode(trained.model), codec.format, trained.columns)
    raise PipelineInvalid(
        f"a {describe(type(trained.model))} is no model of a library that is known",
        why=f"there are {', '.join(sorted(frameworks))}",
        hint="give trained(…) the library's own model, and compose graphs of parts",
        code="graph.model",
    )


def _codec(name: str) -> Codec:
    made: Codec = adapter(CODECS, name)
    return made
