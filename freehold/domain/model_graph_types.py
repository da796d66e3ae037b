"""Whether the parts of a graph of models fit together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import isfinite

from freehold.domain.errors import Fault
from freehold.domain.model_graph_part import (
    Cascade,
    Chain,
    Ensemble,
    Function,
    Misfit,
    NamedColumn,
    NamedColumns,
    Part,
    Post,
    Trained,
    Transformer,
    functions_of,
    parts_below,
)

KINDS = ("number", "category")
DEEPEST = 32
"""Parts within each other."""
LIGHTEST, HEAVIEST = 1e-6, 1e6
"""Of an ensemble's weights, so that no sum of them loses one."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class _Flow:
    """What reaches a part."""

    kinds: Mapping[str, str]
    values: Mapping[str, frozenset[str]]
    """Of categories that come in with the graph's columns: all others are not there any more."""
    is_open: bool = False
    """Whether an earlier fault hides what else is there."""
    has_scores: bool = False


def graph_faults(columns: NamedColumns, part: Part) -> tuple[Fault, ...]:
    """Every one. None means: each part gets the columns that it takes, of the kinds that it takes
    them as, scores come out, and everything can be named apart."""
    if _depth(part) > DEEPEST:
        what = f"more than {DEEPEST} parts lie within each other"
        return (Fault("graph.deep", what, part.where, "compose fewer levels"),)
    check = _Check()
    if not hasattr(columns, "columns"):
        what = f"the graph has a {type(columns).__name__} where its columns belong"
        check.fault("graph.columns", what, part, "give the candidate's Columns")
        return tuple(check.found)
    flow = check.follow(part, _entering(columns))
    if not flow.has_scores:
        hint = "end it with a model, or with what puts models together"
        check.fault("graph.no-scores", "the graph gives a table, not scores", part, hint)
    check.functions(functions_of(part))
    return tuple(dict.fromkeys(check.found))


def _entering(columns: NamedColumns) -> _Flow:
    kinds = {column.name: column.kind for column in columns.columns}
    values = {c.name: frozenset(c.values) for c in columns.columns if c.kind == "category"}
    return _Flow(kinds, values)


class _Check:
    def __init__(self) -> None:
        self.found: list[Fault] = []

    def fault(self, code: str, what: str, part: Part, hint: str = "") -> None:
        self.found.append(Fault(code, what, part.where, hint))

    def follow(self, part: Part, flow: _Flow, path: tuple[str, ...] = ()) -> _Flow:
        """What the part leaves to whatever stands after it. `path`: as models are called by it."""
        match part:
            case Chain():
                for step in part.steps:
                    flow = self.follow(step, flow, path)
                return flow
            case Transformer():
                return self._transformed(part, flow)
            case Post():
                return self._after(part, flow)
            case Trained():
                self._model(part, flow, f"the model '{'.'.join(path) or 'model'}'")
            case Ensemble():
                self._no_scores(part, flow, "an ensemble")
                self._ensemble(part, flow, path)
            case Cascade():
                self._no_scores(part, flow, "a cascade")
                self._cascade(part, flow, path)
            case Misfit() if part.found:
                what = f"a {part.found} is no part of a graph"
                hint = "put a function into transformer(…) or post(…), a model into trained(…)"
                self.fault("graph.part", what, part, hint)
        return replace(flow, has_scores=True)

    def functions(self, functions: list[Function]) -> None:
        """Their own faults, and two of one name."""
        known: dict[str, Function] = {}
        for function in functions:
            self.found += function.faults
            other = known.setdefault(function.name.casefold(), function)
            if other != function:
                what = f"two functions are called '{function.name}'"
                hint = "rename one: each lies in the package under its name"
                self.found.append(Fault("graph.name-twice", what, "", hint))

    def _transformed(self, part: Transformer, flow: _Flow) -> _Flow:
        function = part.function
        named = f"transformer '{function.name}'"
        self._no_scores(part, flow, named)
        self._takes(function.takes, named, part, flow)
        gives = function.gives or {}
        if not gives and not function.faults:
            hint = "say which: a transformer that gives nothing changes nothing"
            self.fault("graph.gives-nothing", f"{named} gives no column", part, hint)
        return replace(
            flow,
            kinds={**flow.kinds, **gives},
            values={name: known for name, known in flow.values.items() if name not in gives},
            is_open=flow.is_open or bool(function.faults),
            has_scores=False,
        )

    def _after(self, part: Post, flow: _Flow) -> _Flow:
        named = f"post-processing '{part.function.name}'"
        if not flow.has_scores:
            what = f"{named} stands where there are no scores yet"
            self.fault("graph.table-into-scores", what, part, "put it after a model")
        self._takes(part.function.takes, named, part, flow)
        return replace(flow, has_scores=True)

    def _no_scores(self, part: Part, flow: _Flow, named: str) -> None:
        if flow.has_scores:
            what = f"scores are fed into {named}, which takes a table"
            hint = "put it before what gives the scores, or use post(…)"
            self.fault("graph.scores-into-table", what, part, hint)

    def _model(self, part: Trained, flow: _Flow, named: str) -> None:
        self._no_scores(part, flow, named)
        if not hasattr(part.columns, "columns"):
            what = f"{named} has a {type(part.columns).__name__} where its columns belong"
            self.fault("graph.columns", what, part, "give the Columns that it was fitted on")
            return
        kinds = {column.name: column.kind for column in part.columns.columns}
        self._takes(kinds, named, part, flow)
        for column in part.columns.columns:
            if flow.kinds.get(column.name) == column.kind == "category":
                self._values(column, part, flow, named)

    def _values(self, column: NamedColumn, part: Trained, flow: _Flow, named: str) -> None:
        known = flow.values.get(column.name)
        lost = [] if known is None else sorted(set(column.values) - known)
        if lost:
            shown = ", ".join(map(repr, lost[:3])) + (", …" if len(lost) > 3 else "")
            what = f"{named} knows {shown} of '{column.name}', which the graph's columns do not"
            hint = "it would be read as missing: give the graph the columns with all values"
            self.fault("graph.values", what, part, hint)

    def _takes(self, kinds: Mapping[str, str], named: str, part: Part, flow: _Flow) -> None:
        for name, kind in kinds.items():
            there = flow.kinds.get(name)
            if there is None and not flow.is_open:
                near = get_close_matches(name, flow.kinds, 1)
                hint = f"is '{near[0]}' meant?" if near else "let a transformer before it give it"
                what = f"{named} takes the column '{name}', which nothing gives"
                self.fault("graph.column-missing", what, part, hint)
            elif there is not None and there != kind:
                what = f"{named} takes the column '{name}' as a {kind}, which is a {there}"
                hint = f"let a transformer before it give '{name}' as a {kind}"
                self.fault("graph.column-kind", what, part, hint)

    def _scored(self, inner: Part, flow: _Flow, path: tuple[str, ...], named: str) -> None:
        if not self.follow(inner, replace(flow, has_scores=False), path).has_scores:
            hint = "end it with a model"
            self.fault("graph.no-scores", f"{named} gives a table, not scores", inner, hint)

    def _ensemble(self, part: Ensemble, flow: _Flow, path: tuple[str, ...]) -> None:
        self.found += part.faults
        if not part.members:
            self.fault("graph.empty", "an ensemble has no members", part, "give it one or more")
        seen: set[str] = set()
        for member in part.members:
            named = f"the member '{member.name}'"
            if not _NAME.fullmatch(member.name):
                hint = "use letters, digits, '_' and '-', at most 64"
                self.fault("graph.name", f"{named} cannot be called so", part, hint)
            if member.name.casefold() in seen:
                hint = "names differ by more than case"
                self.fault(
                    "graph.name-twice", f"two members are called '{member.name}'", part, hint
                )
            seen.add(member.name.casefold())
            if not _is_number(member.weight) or not LIGHTEST <= member.weight <= HEAVIEST:
                what = f"{named} weighs {member.weight!r}"
                hint = f"a weight is a number from {LIGHTEST:g} to {HEAVIEST:g}"
                self.fault("graph.weight", what, part, hint)
            self._scored(member.part, flow, (*path, member.name), named)

    def _cascade(self, part: Cascade, flow: _Flow, path: tuple[str, ...]) -> None:
        ends = (part.low, part.high)
        if not all(map(_is_number, ends)) or not 0 <= part.low < part.high <= 1:
            what = f"a cascade is unsure from {part.low!r} to {part.high!r}"
            hint = "give two numbers from 0 to 1, the lower one first: unsure=(0.3, 0.7)"
            self.fault("graph.band", what, part, hint)
        self._scored(part.first, flow, (*path, "first"), "the first of a cascade")
        self._scored(part.second, flow, (*path, "second"), "the second of a cascade")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _depth(part: Part) -> int:
    """Without recursion: what is too deep for it is what is asked about."""
    deepest, waiting = 0, [(part, 0)]
    while waiting:
        one, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(inner, depth + 1) for _, inner in parts_below(one)]
    return deepest
