"""Answering from a graph: in this process if libraries and what puts them together suffice, in one
of its own if there are functions."""

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
    def __init__(self, evaluation: Evaluation, width: int) -> None:
        self._evaluation, self.width = evaluation, width

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Raises Failed: `runtime.model-raised`, `runtime.wrong-answer`, of what part of it."""
        self.require_width(matrix)
        try:
            return np.asarray(self._evaluation.scores(matrix), dtype=np.float64)
        except GraphFailed as exc:
            raise Failed(exc.what, why=exc.why, code=exc.code) from exc


class WaitingGraphPredictor(GraphPredictor, Elsewhere):
    """Some of its models answer from other processes."""

    def __init__(self, evaluation: Evaluation, width: int, deadline: float) -> None:
        super().__init__(evaluation, width)
        self.deadline = deadline


class GraphRuntime(ModelRuntime, LoadsWithin):
    name = "graph"

    def load(self, folder: Path) -> Predictor:
        """Raises IntegrityError `package.graph` with every fault of the graph too."""
        stored = read_folder(folder)
        if not stored.functions:
            return _predictor(folder, stored)
        isolated: ModelRuntime = adapter(RUNTIMES, "isolated")
        return isolated.load(folder)

    def load_within(self, folder: Path) -> Predictor:
        return _predictor(folder, read_folder(folder))


def _predictor(folder: Path, stored: StoredGraph) -> Predictor:
    columns = stored.columns.as_json()["columns"]
    auto: ModelRuntime = adapter(RUNTIMES, "auto")
    predictors: dict[str, Predictor] = {
        name: auto.load(folder / model_folder(name)) for name in stored.models
    }
    _check_widths(stored, predictors)
    models = {}
    for name, predictor in predictors.items():
        encoding = Encoding(placed(columns), stored.models[name].columns.as_json()["columns"])
        models[name] = partial(_scores, predictor, encoding)
    functions = {}
    for name, source in stored.functions.items():
        functions[name] = function_of(source, name, str(folder / function_file(name)))
    evaluation = Evaluation(stored.document, columns, functions, models)
    waits = [one.deadline for one in predictors.values() if isinstance(one, Elsewhere)]
    if waits:
        return WaitingGraphPredictor(evaluation, len(columns), sum(waits))
    return GraphPredictor(evaluation, len(columns))


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
