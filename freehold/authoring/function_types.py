"""What a function of a graph takes and gives, by its annotations and by what is declared."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints, is_typeddict

from freehold.authoring.source import place_of
from freehold.domain.errors import Fault
from freehold.domain.model_graph_part import SCORES, Kind, NamedColumns

Declared = Mapping[str, str] | NamedColumns | None
"""Column → `number` or `category`, or the project's `Columns`."""
_KINDS = ("number", "category")
_HINT = (
    "annotate it with a TypedDict whose fields are Number or Category, or declare the columns:"
    " takes={'items': 'number'}"
)


@dataclass(frozen=True)
class Signature:
    takes: Mapping[str, str]
    gives: Mapping[str, str] | None
    """None for scores."""
    faults: tuple[Fault, ...]


def transformer_signature(
    function: Callable[..., Any], takes: Declared, gives: Declared
) -> Signature:
    """Of `function(table) -> table`."""
    reading = _Reading(function, "transformer")
    parameters = reading.parameters(1, 1)
    taken = reading.table(parameters[0] if parameters else "", takes, "takes")
    given = reading.table("return", gives, "gives")
    return Signature(taken or {}, given or {}, tuple(reading.faults))


def post_signature(function: Callable[..., Any], takes: Declared) -> Signature:
    """Of `function(scores) -> scores` or `function(scores, table) -> scores`."""
    reading = _Reading(function, "post-processing")
    parameters = reading.parameters(1, 2)
    for name in (*parameters[:1], "return"):
        reading.scores(name)
    taken: Mapping[str, str] | None = {}
    if len(parameters) == 2:
        taken = reading.table(parameters[1], takes, "takes")
    elif takes is not None:
        reading.fault("graph.function", "takes columns, but has no second parameter for them")
    return Signature(taken or {}, None, tuple(reading.faults))


class _Reading:
    def __init__(self, function: Callable[..., Any], named: str) -> None:
        self._function, self._named = function, f"{named} '{_name(function)}'"
        self.faults: list[Fault] = []
        self._hints: dict[str, Any] = {}
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            hint = "write a plain function that returns"
            self.fault("graph.function", "does not return when it is called", hint)
        try:
            self._hints = get_type_hints(function, include_extras=True)
        except (NameError, TypeError, AttributeError) as exc:
            self.fault("graph.annotation", f"has an annotation that cannot be resolved: {exc}")

    def fault(self, code: str, what: str, hint: str = "") -> None:
        where = place_of(self._function)
        self.faults.append(Fault(code, f"{self._named} {what}", where, hint))

    def parameters(self, least: int, most: int) -> list[str]:
        """Names, of as many as it may have."""
        try:
            found = list(inspect.signature(self._function).parameters.values())
        except (TypeError, ValueError):
            self.fault("graph.function", "does not say what it is called with")
            return []
        plain = [
            one for one in found if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
        if len(plain) != len(found) or not least <= len(found) <= most:
            asked = "one table" if most == 1 else "scores, and a table if it needs one"
            what = f"has {len(found)} parameters"
            self.fault("graph.function", what, f"it is called with {asked}, by position")
        return [one.name for one in plain[:most]]

    def scores(self, name: str) -> None:
        hint = "annotate it with Scores"
        if name not in self._hints:
            self.fault("graph.annotation", f"does not say the type of {_spoken(name)}", hint)
        elif _kind(self._hints[name]) != SCORES:
            self.fault(
                "graph.annotation", f"has another type than Scores for {_spoken(name)}", hint
            )

    def table(self, name: str, declared: Declared, word: str) -> Mapping[str, str] | None:
        """Columns and kinds, None if there is a fault."""
        before = len(self.faults)
        stated = self._declared(declared, word)
        hint = self._hints.get(name)
        if is_typeddict(hint):
            annotated = self._annotated(hint)
            if stated is not None and stated != annotated:
                what = f"{word} other columns by declaration than by annotation"
                self.fault("graph.annotation", what, "say it once")
            stated = annotated
        elif stated is None:
            has = "has a type that names no" if hint is not None else "does not say the"
            self.fault("graph.annotation", f"{has} columns for {_spoken(name)}", _HINT)
        if not stated and len(self.faults) == before:
            self.fault("graph.annotation", f"names not one column for {_spoken(name)}", _HINT)
        return stated if len(self.faults) == before else None

    def _annotated(self, kind: Any) -> dict[str, str]:
        columns: dict[str, str] = {}
        for column, stated in get_type_hints(kind, include_extras=True).items():
            found = _kind(stated)
            if found in _KINDS:
                columns[column] = str(found)
            else:
                what = f"has a type for '{column}' that is no kind of column"
                self.fault("graph.annotation", what, "use Number or Category")
        return columns

    def _declared(self, declared: Declared, word: str) -> Mapping[str, str] | None:
        if declared is None:
            return None
        if not isinstance(declared, Mapping):
            if hasattr(declared, "columns"):
                return {column.name: column.kind for column in declared.columns}
            what = f"{word} a {type(declared).__name__}, which says no kinds of columns"
            self.fault("graph.annotation", what, "give Columns, or {'items': 'number'}")
            return {}
        for column, kind in declared.items():
            if not isinstance(column, str) or not column or kind not in _KINDS:
                what = f"{word} {column!r} as {kind!r}, which is no kind of column"
                self.fault("graph.annotation", what, "use 'number' or 'category'")
        return {str(column): str(kind) for column, kind in declared.items()}


def _kind(annotation: Any) -> Kind | None:
    found = [one for one in get_args(annotation)[1:] if isinstance(one, Kind)]
    return found[0] if found else None


def _spoken(name: str) -> str:
    return "what it returns" if name == "return" else f"'{name}'"


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
