"""What a graph tells of itself: its answers, what moved them, its flavor."""

from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.graph.archive import StoredGraph, StoredModel, read
from freehold.adapters.graph.entries import FRAMEWORKS, adapter
from freehold.adapters.graph.loader import (
    Encoding,
    Evaluation,
    GraphFailed,
    Table,
    function_of,
    placed,
)
from freehold.domain.attribution import attributions, log_odds
from freehold.domain.canonical import canonical
from freehold.domain.columns import Columns
from freehold.domain.errors import AdapterFailed, Fault, FreeholdError, NotSupported
from freehold.domain.model_graph_document import (
    DOCUMENT,
    KIND,
    function_file,
    model_folder,
)
from freehold.domain.package import ModelFlavor, PackagedPart
from freehold.ports.model_framework import KnowsColumns, ModelFramework

ALONE = 5
"""Rows that are asked one by one too, where there are functions."""
SAME = 1e-6
"""Largest difference between the two: numpy may sum in another order."""


class GraphFramework(ModelFramework, KnowsColumns):
    name = "graph"
    format = "graph"

    def flavor(self, data: bytes) -> ModelFlavor:
        """Raises NotSupported `graph.model` with every model that cannot be served."""
        stored = read(data)
        _check(stored)
        parts = {
            model_folder(name): PackagedPart(
                one.data, _framework(one).flavor(one.data), one.columns
            )
            for name, one in stored.models.items()
        }
        lines = {f"numpy=={version('numpy')}"}
        for part in parts.values():
            lines |= set(part.flavor.requirements)
        for function in stored.document["functions"].values():
            lines |= set(function["requirements"])
        sources = {function_file(name): text for name, text in stored.functions.items()}
        return ModelFlavor(
            name=self.name,
            model_file=DOCUMENT,
            metadata={"kind": KIND},
            requirements=tuple(sorted(lines)),
            loader=Path(__file__).with_name("loader.py").read_text(encoding="utf-8"),
            files={DOCUMENT: canonical(dict(stored.document)), **sources},
            parts=parts,
        )

    def columns(self, data: bytes) -> Columns:
        return read(data).columns

    def predict(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """In this process, functions too. Raises NotSupported `graph.rows-together` for functions
        whose answer of a row depends on the rows beside it."""
        evaluation = _evaluation(data)
        try:
            scores = np.asarray(evaluation.scores(matrix), dtype=np.float64)
            if len(scores) > 1 and read(data).functions:
                _check_alone(evaluation, matrix, scores)
        except GraphFailed as exc:
            raise AdapterFailed(exc.what, why=exc.why, code=exc.code) from exc
        return scores

    def contributions(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sampled Shapley values against rows of the matrix: whatever a graph consists of."""
        read(data)
        return attributions(lambda rows: log_odds(self.predict(data, rows)), matrix)


@lru_cache(maxsize=2)
def _evaluation(data: bytes) -> Evaluation:
    stored = read(data)
    columns = stored.columns.as_json()["columns"]
    models = {}
    for name, one in stored.models.items():
        encoding = Encoding(placed(columns), one.columns.as_json()["columns"])
        models[name] = partial(_scores, _framework(one), one.data, encoding)
    functions = {
        name: function_of(source, name, function_file(name))
        for name, source in stored.functions.items()
    }
    return Evaluation(stored.document, columns, functions, models)


def _check_alone(
    evaluation: Evaluation, matrix: NDArray[np.float32], scores: NDArray[np.float64]
) -> None:
    """Of some rows, the first and the last among them."""
    for row in np.unique(np.linspace(0, len(scores) - 1, ALONE).astype(int)):
        alone = evaluation.scores(matrix[row : row + 1])[0]
        if abs(alone - scores[row]) > SAME:
            raise NotSupported(
                "the graph's functions do not treat each row by itself",
                why=f"a row scores {alone:.6g} alone, {scores[row]:.6g} among {len(scores)}",
                hint="what many rows tell is learned beforehand: put it into a model or a value",
                code="graph.rows-together",
            )


def _scores(framework: ModelFramework, data: bytes, encoding: Encoding, table: Table) -> Any:
    return framework.predict(data, encoding.matrix(table))


def _framework(model: StoredModel) -> ModelFramework:
    made: ModelFramework = adapter(FRAMEWORKS, model.format)
    return made


def _check(stored: StoredGraph) -> None:
    """That each model answers a row of its columns' width, with nothing in it."""
    faults = []
    for name, one in stored.models.items():
        nothing = np.full((1, len(one.columns.names)), np.nan, dtype=np.float32)
        try:
            _framework(one).predict(one.data, nothing)
        except FreeholdError as exc:
            why = f"{exc.what}: {exc.why}" if exc.why else exc.what
            faults.append(Fault(exc.code, why, model_folder(name), exc.hint))
        # What a library raises for rows of another width is its own.
        except Exception as exc:  # noqa: BLE001
            what = f"it does not answer rows of {len(one.columns.names)} columns: {exc!r:.200}"
            hint = "give trained(…) the columns that it was fitted on"
            faults.append(Fault("graph.model", what, model_folder(name), hint))
    if faults:
        raise NotSupported(
            "models of the graph cannot be served", code="graph.model", faults=faults
        )
