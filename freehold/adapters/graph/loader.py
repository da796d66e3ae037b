"""Reads this package for MLflow: a table of raw columns in, probabilities out.

What a graph answers is said here alone, for whoever answers by it.
"""

import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy

RAISED = "runtime.model-raised"
WRONG = "runtime.wrong-answer"
LONGEST = 200
"""Characters of an error."""
EDGE = 1e-6
"""How far beyond 0 and 1 a score may lie: libraries round."""
NUMBERS = "biuf"
"""Kinds of numpy's types that are numbers."""


class GraphFailed(Exception):
    """A part of the graph did not do what it promises."""

    def __init__(self, code: str, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.code, self.what, self.why = code, what, why[:LONGEST]


class Table:
    """Rows as they came, and what functions put beside them or in their place."""

    def __init__(
        self, columns: Mapping[str, Any], matrix: Any, added: Mapping[str, Any] | None = None
    ) -> None:
        """`columns`: name → its place in the matrix, and values if it is a category."""
        self.columns, self.matrix, self.added = columns, matrix, added or {}

    def __len__(self) -> int:
        return len(self.matrix)

    def column(self, name: str) -> Any:
        """float64 [n] with NaN, or objects [n], text or None; not to be written to."""
        if name in self.added:
            return self.added[name]
        place, values = self.columns[name]
        column = self.matrix[:, place]
        if values is None:
            return _kept(column.astype(numpy.float64))
        names = numpy.array([*values, None], dtype=object)
        known = (column >= 0) & (column < len(values))
        return _kept(names[numpy.where(known, column, len(values)).astype(int)])

    def rows(self, chosen: Any) -> "Table":
        added = {name: _kept(values[chosen]) for name, values in self.added.items()}
        return Table(self.columns, self.matrix[chosen], added)

    def beside(self, given: Mapping[str, Any]) -> "Table":
        return Table(self.columns, self.matrix, {**self.added, **given})


class Encoding:
    """From tables to the matrix of one model."""

    def __init__(self, columns: Mapping[str, Any], taken: Sequence[Mapping[str, Any]]) -> None:
        """`taken`: the model's columns, in its order, each {name, kind, values}."""
        self._taken = [self._read(columns, column) for column in taken]
        same = [
            place == found for place, (_, _, found, way) in enumerate(self._taken) if way is None
        ]
        self._is_whole = len(same) == len(taken) == len(columns) and all(same)

    def matrix(self, table: Table) -> Any:
        """float32 [n, k]; a category that the model does not know is NaN, as a missing one is."""
        if self._is_whole and not table.added:
            return table.matrix
        made = numpy.empty((len(table), len(self._taken)), numpy.float32)
        with numpy.errstate(over="ignore"):
            for place, (name, codes, found, way) in enumerate(self._taken):
                if name in table.added:
                    values = table.added[name]
                    if codes is not None:
                        values = [codes.get(value, numpy.nan) for value in values]
                    made[:, place] = values
                elif way is None:
                    made[:, place] = table.matrix[:, found]
                else:
                    column = table.matrix[:, found]
                    known = (column >= 0) & (column < len(way) - 1)
                    made[:, place] = way[numpy.where(known, column, len(way) - 1).astype(int)]
        return made

    @staticmethod
    def _read(columns: Mapping[str, Any], column: Mapping[str, Any]) -> tuple[Any, ...]:
        """Name, code by value, place among what came, and what each code there is here."""
        name, codes = column["name"], None
        found, values = columns.get(name, (None, None))
        if column["kind"] != "category":
            return name, None, found, None
        codes = {value: code for code, value in enumerate(column["values"])}
        if values is None or list(values) == list(column["values"]):
            return name, codes, found, None
        way = [*(codes.get(value, numpy.nan) for value in values), numpy.nan]
        return name, codes, found, numpy.array(way, numpy.float32)


class Evaluation:
    """Scores of rows by a document's graph. For many threads, if its functions and models are."""

    def __init__(
        self,
        document: Mapping[str, Any],
        columns: Sequence[Mapping[str, Any]],
        functions: Mapping[str, Callable[..., Any]],
        models: Mapping[str, Callable[[Table], Any]],
    ) -> None:
        self._graph, self._said = document["graph"], document["functions"]
        self._columns = placed(columns)
        self._functions, self._models = functions, models

    def scores(self, matrix: Any) -> Any:
        """Probabilities [n] of rows [n, k]. Raises GraphFailed."""
        if not len(matrix):
            return numpy.empty(0)
        return self._scored(self._graph, Table(self._columns, matrix))

    def _scored(self, part: Mapping[str, Any], table: Table) -> Any:
        ((kind, body),) = part.items()
        if kind == "model":
            return self._model(body, table)
        if kind == "ensemble":
            return self._ensemble(body, table)
        if kind == "cascade":
            return self._cascade(body, table)
        return self._chain(body if kind == "chain" else [part], table)

    def _chain(self, parts: Sequence[Mapping[str, Any]], table: Table) -> Any:
        scores: Any = None
        for part in parts:
            ((kind, body),) = part.items()
            if kind == "transformer":
                table = table.beside(self._transformed(body, table))
            elif kind == "post":
                scores = self._posted(body, scores, table)
            else:
                scores = self._scored(part, table)
        return scores

    def _model(self, name: str, table: Table) -> Any:
        named = f"the model '{name}' of the graph"
        return as_scores(_called(named, self._models[name], table), len(table), named)

    def _ensemble(self, members: Sequence[Mapping[str, Any]], table: Table) -> Any:
        # One after the other: numpy's own sums go another way for other numbers of rows.
        total, weight = numpy.zeros(len(table)), 0.0
        for member in members:
            total = total + member["weight"] * self._scored(member["graph"], table)
            weight += member["weight"]
        return total / weight

    def _cascade(self, body: Mapping[str, Any], table: Table) -> Any:
        low, high = body["unsure"]
        scores = self._scored(body["first"], table)
        unsure = (scores >= low) & (scores <= high)
        if not unsure.any():
            return scores
        scores = scores.copy()
        asked = table if unsure.all() else table.rows(unsure)
        scores[unsure] = self._scored(body["second"], asked)
        return scores

    def _transformed(self, name: str, table: Table) -> dict[str, Any]:
        named, said = f"the function '{name}' of the graph", self._said[name]
        taken = {column: table.column(column) for column in said["takes"]}
        given = _called(named, self._functions[name], taken)
        if not isinstance(given, Mapping):
            raise _wrong(named, f"it returned a {type(given).__name__}, not a dictionary")
        for column in sorted(set(said["gives"]) ^ set(given), key=str):
            word = "lacks" if column in said["gives"] else "has"
            raise _wrong(named, f"what it returned {word} the column {column!r:.40}")
        return {
            column: _column(given[column], kind, len(table), column, named)
            for column, kind in said["gives"].items()
        }

    def _posted(self, name: str, scores: Any, table: Table) -> Any:
        named, takes = f"the function '{name}' of the graph", self._said[name]["takes"]
        given = [_kept(scores.copy())]
        if takes:
            given.append({column: table.column(column) for column in takes})
        return as_scores(_called(named, self._functions[name], *given), len(table), named)


def placed(columns: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, Any]]:
    """As `Table` takes them."""
    return {column["name"]: (at, column.get("values")) for at, column in enumerate(columns)}


def as_scores(value: Any, rows: int, named: str) -> Any:
    """float64 [n], from 0 to 1 but for what a library rounds, as it is. Raises GraphFailed."""
    found = _array(value, None, named)
    if found.shape != (rows,) or found.dtype.kind not in NUMBERS:
        why = f"it gave {found.dtype} of shape {found.shape} as the scores of {rows} rows"
        raise _wrong(named, why)
    scores = found.astype(numpy.float64)
    odd = ~((scores >= -EDGE) & (scores <= 1 + EDGE))
    if odd.any():
        raise _wrong(named, f"it gave {scores[odd][0]} as a score")
    return scores


def function_of(source: bytes, name: str, path: str) -> Any:
    """The function that a source defines."""
    module = ModuleType(f"graph_{name}_{sha256(source).hexdigest()[:16]}")
    module.__file__ = path
    # Data classes look up where they were defined.
    sys.modules[module.__name__] = module
    exec(compile(source, path, "exec"), vars(module))
    return getattr(module, name)


def _called(named: str, function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except GraphFailed:
        raise
    # A function may raise anything.
    except Exception as exc:
        why = f"{type(exc).__name__}: {exc}"
        raise GraphFailed(RAISED, f"{named} raised an error", why) from exc


def _column(value: Any, kind: str, rows: int, name: str, named: str) -> Any:
    is_number = kind == "number"
    found = _array(value, None if is_number else object, named)
    if found.shape != (rows,):
        raise _wrong(named, f"its column '{name}' has the shape {found.shape} for {rows} rows")
    if is_number:
        if found.dtype.kind not in NUMBERS:
            raise _wrong(named, f"its column '{name}' is {found.dtype}, not numbers")
        return _kept(found.astype(numpy.float64))
    for one in found:
        if one is not None and not isinstance(one, str):
            raise _wrong(named, f"its column '{name}' has {one!r:.40}, not text or None")
    return _kept(found)


def _array(value: Any, kind: Any, named: str) -> Any:
    """A copy: a function may keep what it returned, and write to it."""
    try:
        return numpy.array(value, dtype=kind)
    # What is no array says so in ways of its own.
    except Exception as exc:
        raise _wrong(named, f"it gave what is no array: {type(exc).__name__}: {exc}") from exc


def _wrong(named: str, why: str) -> GraphFailed:
    return GraphFailed(WRONG, f"{named} gave what it does not promise", why)


def _kept(array: Any) -> Any:
    array.setflags(write=False)
    return array


class PackagedModel:
    def __init__(self, folder: Path) -> None:
        document = json.loads((folder / "graph.json").read_bytes())
        self.columns = json.loads((folder / "columns.json").read_bytes())["columns"]
        functions = {}
        for name, said in document["functions"].items():
            path = folder / said["file"]
            functions[name] = function_of(path.read_bytes(), name, str(path))
        models = {
            name: self._model(folder / said["folder"]) for name, said in document["models"].items()
        }
        self._evaluation = Evaluation(document, self.columns, functions, models)

    def predict(self, model_input: Any) -> Any:
        """A pandas table to probabilities [n]; an absent column is missing in every row."""
        matrix = numpy.full((len(model_input), len(self.columns)), numpy.nan, numpy.float32)
        for place, column in enumerate(self.columns):
            if column["name"] not in model_input:
                continue
            series = model_input[column["name"]]
            if column["kind"] == "category":
                codes = {value: code for code, value in enumerate(column["values"])}
                matrix[:, place] = [codes.get(value, numpy.nan) for value in series]
            else:
                matrix[:, place] = series.to_numpy(dtype="float64", na_value=numpy.nan)
        return self._evaluation.scores(matrix)

    def _model(self, folder: Path) -> Callable[[Table], Any]:
        """One of the graph's own, which is a package like this one."""
        pandas = importlib.import_module("pandas")
        columns = json.loads((folder / "columns.json").read_bytes())["columns"]
        (path,) = (folder / "code").glob("package_loader_*.py")
        model = function_of(path.read_bytes(), "_load_pyfunc", str(path))(str(folder))

        def scores(table: Table) -> Any:
            frame = {column["name"]: table.column(column["name"]) for column in columns}
            return model.predict(pandas.DataFrame(frame))

        return scores


def _load_pyfunc(path: str) -> PackagedModel:
    return PackagedModel(Path(path))
