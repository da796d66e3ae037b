"""Answering from a graph: in this process if libraries and what puts them together suffice, in one
of its own if there are functions."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.graph.archive import StoredGraph, read_folder
from freehold.adapters.graph.entries import RUNTIMES, adapter
from freehold.adapters.graph.loader import (
    Encoding,
    Evaluation,
    GraphFailed,
    Table,
    function_of,
    placed,
)
from freehold.domain.errors import Failed, Fault, IntegrityError
from freehold.domain.model_graph_document import function_file, model_folder
from freehold.ports.model_runtime import Elsewhere, LoadsWithin, ModelRuntime, Predictor


class GraphPredictor(Predictor):
    def __init__(self, evaluation: Evaluation, width: int, models: Collection[Predictor]) -> None:
        self._evaluation, self.width, self._models = evaluation, width, models

    def start(self) -> None:
        for model in self._models:
            model.start()

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Raises Failed: `runtime.model-raised`, `runtime.wrong-answer`, of what part of it."""
        self.require_width(matrix)
        try:
            return np.asarray(self._evaluation.scores(matrix), dtype=np.float64)
        except GraphFailed as exc:
            raise Failed(exc.what, why=exc.why, code=exc.code) from exc


class WaitingGraphPredictor(GraphPredictor, Elsewhere):
    """Some of its models answer from other processes."""

    def __init__(self, evaluation: Evaluation, width: int, models: Collection[Predictor]) -> None:
        super().__init__(evaluation, width, models)
        self.deadline = sum(one.deadline for one in models if isinstance(one, Elsewhere))


class GraphRuntime(ModelRuntime, LoadsWithin):
    name = "graph"

    def load(self, folder: Path) -> Predictor:
        """Raises IntegrityError `package.graph` with every fault of the graph too."""
        stored = read_folder(folder)
        if not stored.functions:
            return _predictor(folder, stored, _models(folder, stored))
        isolated: ModelRuntime = adapter(RUNTIMES, "isolated")
        return isolated.load(folder)

    def needs(self, folder: Path) -> tuple[str, ...]:
        stored = read_folder(folder)
        auto: ModelRuntime = adapter(RUNTIMES, "auto")
        of_models = [n for name in stored.models for n in auto.needs(folder / model_folder(name))]
        apart = ["isolated"] if stored.functions else []
        return tuple(dict.fromkeys([self.name, *apart, "auto", *of_models]))

    def load_to_share(self, folder: Path) -> Predictor | None:
        """None if it has functions, or a model that cannot be shared."""
        stored = read_folder(folder)
        auto: ModelRuntime = adapter(RUNTIMES, "auto")
        predictors: dict[str, Predictor] = {}
        for name in () if stored.functions else stored.models:
            if (shared := auto.load_to_share(folder / model_folder(name))) is None:
                return None
            predictors[name] = shared
        return _predictor(folder, stored, predictors) if predictors else None

    def load_within(self, folder: Path) -> Predictor:
        stored = read_folder(folder)
        return _predictor(folder, stored, _models(folder, stored))


def _models(folder: Path, stored: StoredGraph) -> dict[str, Predictor]:
    auto: ModelRuntime = adapter(RUNTIMES, "auto")
    return {name: auto.load(folder / model_folder(name)) for name in stored.models}


def _predictor(folder: Path, stored: StoredGraph, predictors: dict[str, Predictor]) -> Predictor:
    columns = stored.columns.as_json()["columns"]
    _check_widths(stored, predictors)
    models = {}
    for name, predictor in predictors.items():
        encoding = Encoding(placed(columns), stored.models[name].columns.as_json()["columns"])
        models[name] = partial(_scores, predictor, encoding)
    functions = {}
    for name, source in stored.functions.items():
        functions[name] = function_of(source, name, str(folder / function_file(name)))
    evaluation = Evaluation(stored.document, columns, functions, models)
    waits = any(isinstance(one, Elsewhere) for one in predictors.values())
    kind = WaitingGraphPredictor if waits else GraphPredictor
    return kind(evaluation, len(columns), list(predictors.values()))


def _scores(predictor: Predictor, encoding: Encoding, table: Table) -> Any:
    return predictor.predict(encoding.matrix(table))


def _check_widths(stored: StoredGraph, predictors: dict[str, Predictor]) -> None:
    faults = [
        Fault(
            "graph.model",
            f"it takes {predictor.width} columns, not {len(stored.models[name].columns.names)}",
            model_folder(name),
            "give trained(…) the columns that it was fitted on",
        )
        for name, predictor in predictors.items()
        if predictor.width != len(stored.models[name].columns.names)
    ]
    if faults:
        raise IntegrityError(
            "the package's graph does not fit its models", code="package.graph", faults=faults
        )
