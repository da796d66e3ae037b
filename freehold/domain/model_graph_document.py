"""A graph of models as JSON: `graph.json`.

A document is {kind, functions, models, graph}. `graph` is a tree, so that nothing in it can go
round in a circle or end twice; a part of it is an object of one key:

| part | means |
| --- | --- |
| `{"chain": [PART, …]}` | one after the other |
| `{"transformer": NAME}` | a function, from a table to a table |
| `{"post": NAME}` | a function, from scores, and a table if it takes columns, to scores |
| `{"model": NAME}` | a table to scores |
| `{"ensemble": [{"name", "weight", "graph": PART}, …]}` | Σ weight · score / Σ weight |
| `{"cascade": {"first": PART, "second": PART, "unsure": [low, high]}}` | see `Cascade` |

`functions`: name → {file, takes, gives, requirements}, where `takes` and `gives` are column → kind,
and `gives` of scores is `"scores"`. `models`: name → {folder, format}.
"""

from collections.abc import Callable, Mapping
from typing import Any

from freehold.domain.errors import Fault
from freehold.domain.model_graph import ModelGraph
from freehold.domain.model_graph_part import (
    SCORES,
    Cascade,
    Chain,
    Ensemble,
    Function,
    Member,
    Misfit,
    Part,
    Post,
    Trained,
    Transformer,
)
from freehold.domain.model_graph_types import DEEPEST, KINDS

KIND = "freehold.graph/1"
DOCUMENT = "graph.json"
FUNCTIONS = "functions"
MODELS = "models"
_CODE = "graph.document"
_NEST = 4 * DEEPEST
"""Brackets within each other that a document of `DEEPEST` parts may have, and some."""


def as_document(graph: ModelGraph, formats: Mapping[str, str]) -> dict[str, Any]:
    """`formats`: of each model, by its name. JSON."""
    return {
        "functions": {
            name: {
                "file": function_file(name),
                "gives": str(SCORES) if function.gives is None else dict(function.gives),
                "requirements": list(function.requirements),
                "takes": dict(function.takes),
            }
            for name, function in graph.functions.items()
        },
        "graph": _part(graph.part, ()),
        "kind": KIND,
        "models": {
            name: {"folder": model_folder(name), "format": formats[name]} for name in graph.models
        },
    }


def function_file(name: str) -> str:
    return f"{FUNCTIONS}/{name}.py"


def model_folder(name: str) -> str:
    return f"{MODELS}/{name}"


def read_document(
    value: Any, sources: Mapping[str, str], models: Mapping[str, Trained]
) -> tuple[Part, list[Fault]]:
    """The graph of a document, and what is wrong with the document itself.

    `sources` of functions and `models` by their names: what lies beside the document. Where a part
    cannot be read stands a `Misfit`, which is among the faults already.
    """
    reading = _Reading(sources, models)
    return reading.document(value), reading.faults


def _part(part: Part, path: tuple[str, ...]) -> dict[str, Any]:
    match part:
        case Chain():
            return {"chain": [_part(step, path) for step in part.steps]}
        case Transformer():
            return {"transformer": part.function.name}
        case Post():
            return {"post": part.function.name}
        case Trained():
            return {"model": ".".join(path) or "model"}
        case Ensemble():
            members = [
                {
                    "graph": _part(one.part, (*path, one.name)),
                    "name": one.name,
                    "weight": float(one.weight),
                }
                for one in part.members
            ]
            return {"ensemble": members}
        case Cascade():
            return {
                "cascade": {
                    "first": _part(part.first, (*path, "first")),
                    "second": _part(part.second, (*path, "second")),
                    "unsure": [float(part.low), float(part.high)],
                }
            }
    raise TypeError(f"{type(part).__name__} has no document")


class _Reading:
    def __init__(self, sources: Mapping[str, str], models: Mapping[str, Trained]) -> None:
        self._sources, self._models = sources, models
        self._functions: dict[str, Function] = {}
        self._used: set[str] = set()
        self.faults: list[Fault] = []

    def document(self, value: Any) -> Part:
        if not self._has(value, {"functions", "graph", "kind", "models"}, ""):
            return Misfit("", where="")
        if value["kind"] != KIND:
            hint = f"this version of Freehold reads {KIND}"
            self._wrong(f"its kind is {value['kind']!r:.60}, not {KIND}", "kind", hint)
        for name in ("functions", "models"):
            if not isinstance(value[name], dict):
                self._wrong("an object is wanted", name)
                return Misfit("", where=name)
        self._functions = {
            name: self._function(name, one) for name, one in value["functions"].items()
        }
        self._stated(value["models"])
        if _nesting(value["graph"]) > _NEST:
            self.faults.append(Fault("graph.deep", f"it is more than {DEEPEST} parts deep"))
            return Misfit("", where="graph")
        part = self._part(value["graph"], "graph")
        for name in [*value["functions"], *value["models"]]:
            if name not in self._used:
                self._wrong(f"'{name}' is in no part of the graph", "graph")
        return part

    def _function(self, name: str, value: Any) -> Function:
        where = f"functions.{name}"
        takes: dict[str, str] = {}
        gives: dict[str, str] | None = {}
        requirements: tuple[str, ...] = ()
        if self._has(value, {"file", "gives", "requirements", "takes"}, where):
            if value["file"] != function_file(name) or not name.isidentifier():
                self._wrong(f"it lies in {function_file(name)}", f"{where}.file")
            takes = self._kinds(value["takes"], f"{where}.takes")
            is_post = value["gives"] == SCORES
            gives = None if is_post else self._kinds(value["gives"], f"{where}.gives")
            lines = value["requirements"]
            if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
                requirements = tuple(lines)
            else:
                self._wrong("a list of strings is wanted", f"{where}.requirements")
        if name not in self._sources:
            self._wrong(f"{function_file(name)} is not there", where)
        return Function(name, self._sources.get(name, ""), takes, gives, requirements)

    def _stated(self, models: Mapping[str, Any]) -> None:
        for name, value in models.items():
            where = f"models.{name}"
            if self._has(value, {"folder", "format"}, where):
                if value["folder"] != model_folder(name):
                    self._wrong(f"it lies in {model_folder(name)}", f"{where}.folder")
                if not isinstance(value["format"], str):
                    self._wrong("a string is wanted", f"{where}.format")
            if name not in self._models:
                self._wrong(f"{model_folder(name)} is not there", where)
        for name in self._models:
            if name not in models:
                self._wrong(f"{model_folder(name)} is not named", "models")

    def _part(self, value: Any, where: str) -> Part:
        readers: dict[str, Callable[[Any, str], Part]] = {
            "cascade": self._cascade,
            "chain": self._chain,
            "ensemble": self._ensemble,
            "model": self._model,
            "post": self._post,
            "transformer": self._transformer,
        }
        if not isinstance(value, dict) or len(value) != 1 or not set(value) <= set(readers):
            self._wrong(f"an object with one of {', '.join(sorted(readers))} is wanted", where)
            return Misfit("", where=where)
        ((kind, body),) = value.items()
        return readers[kind](body, f"{where}.{kind}")

    def _chain(self, value: Any, where: str) -> Part:
        if not isinstance(value, list) or not value:
            self._wrong("a list of parts is wanted, not empty", where)
            return Misfit("", where=where)
        for place, one in enumerate(value):
            if isinstance(one, dict) and "chain" in one:
                self._wrong("a chain within a chain is one chain", f"{where}[{place}]")
        steps = [self._part(one, f"{where}[{place}]") for place, one in enumerate(value)]
        return Chain(tuple(steps), where=where)

    def _transformer(self, value: Any, where: str) -> Part:
        function = self._named(value, where)
        if function is None or function.gives is None:
            if function is not None:
                self._wrong(f"'{value}' gives scores, which post-processing does", where)
            return Misfit("", where=where)
        return Transformer(function, where=where)

    def _post(self, value: Any, where: str) -> Part:
        function = self._named(value, where)
        if function is None or function.gives is not None:
            if function is not None:
                self._wrong(f"'{value}' gives a table, which a transformer does", where)
            return Misfit("", where=where)
        return Post(function, where=where)

    def _named(self, value: Any, where: str) -> Function | None:
        if not isinstance(value, str) or value not in self._functions:
            self._wrong(f"{value!r:.60} is no function of the document", where)
            return None
        self._used.add(value)
        return self._functions[value]

    def _model(self, value: Any, where: str) -> Part:
        if not isinstance(value, str) or value not in self._models:
            self._wrong(f"{value!r:.60} is no model of the document", where)
            return Misfit("", where=where)
        self._used.add(value)
        found = self._models[value]
        return Trained(found.model, found.columns, where=where)

    def _ensemble(self, value: Any, where: str) -> Part:
        if not isinstance(value, list):
            self._wrong("a list is wanted", where)
            return Misfit("", where=where)
        members = []
        for place, one in enumerate(value):
            here = f"{where}[{place}]"
            if self._has(one, {"graph", "name", "weight"}, here):
                inner = self._part(one["graph"], f"{here}.graph")
                members.append(Member(str(one["name"]), one["weight"], inner))
        return Ensemble(tuple(members), where=where)

    def _cascade(self, value: Any, where: str) -> Part:
        if not self._has(value, {"first", "second", "unsure"}, where):
            return Misfit("", where=where)
        band = value["unsure"]
        if not isinstance(band, list) or len(band) != 2:
            self._wrong("a list of two numbers is wanted", f"{where}.unsure")
            band = [0.0, 1.0]
        first = self._part(value["first"], f"{where}.first")
        second = self._part(value["second"], f"{where}.second")
        return Cascade(first, second, band[0], band[1], where=where)

    def _kinds(self, value: Any, where: str) -> dict[str, str]:
        if not isinstance(value, dict):
            self._wrong("an object of columns and their kinds is wanted", where)
            return {}
        for name, kind in value.items():
            if kind not in KINDS:
                self._wrong(f"{kind!r:.60} is no kind of column", f"{where}.{name}")
        return {name: kind for name, kind in value.items() if kind in KINDS}

    def _has(self, value: Any, keys: set[str], where: str) -> bool:
        if isinstance(value, dict) and set(value) == keys:
            return True
        self._wrong(f"an object with {', '.join(sorted(keys))} is wanted", where)
        return False

    def _wrong(self, what: str, where: str, hint: str = "") -> None:
        self.faults.append(Fault(_CODE, what, where, hint))


def _nesting(value: Any) -> int:
    deepest, waiting = 0, [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(one, dict | list):
            inner = one.values() if isinstance(one, dict) else one
            waiting += [(each, depth + 1) for each in inner]
    return deepest
