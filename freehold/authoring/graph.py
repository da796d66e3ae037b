"""Graphs of models, as composition in Python.

`transformer(function) >> trained(booster, columns) >> post(function)`, ensembles and cascades of
such, and `ModelGraph(columns, …)` around the whole, which raises every mismatch at once.
"""

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

from freehold.authoring.function_source import source_of
from freehold.authoring.function_types import (
    Declared,
    Signature,
    post_signature,
    transformer_signature,
)
from freehold.authoring.source import line_of, place_of
from freehold.domain.errors import Fault
from freehold.domain.model_graph_part import (
    Cascade,
    Ensemble,
    Function,
    Member,
    NamedColumns,
    Part,
    Post,
    Trained,
    Transformer,
    part_of,
)


def transformer(
    function: Callable[..., Any],
    *,
    takes: Declared = None,
    gives: Declared = None,
    requirements: Sequence[str] = (),
) -> Part:
    """A function from a table to a table: what it gives stands beside what came in, or replaces it.

    A table is a dictionary of numpy arrays [n], see `Number` and `Category`; which columns, say the
    TypedDicts that the function is annotated with, or `takes` and `gives`. Only `takes` is handed
    over; `gives` is exactly what must come back. `requirements`: distributions that it needs beside
    numpy, of the versions that are installed.
    """
    where = line_of(1)
    return Transformer(
        _function(function, lambda f: transformer_signature(f, takes, gives), requirements, where),
        where=where,
    )


def post(
    function: Callable[..., Any],
    *,
    takes: Declared = None,
    requirements: Sequence[str] = (),
) -> Part:
    """A function from scores [n], and a table if it has a second parameter, to scores [n]: finite,
    from 0 to 1. The rest as for `transformer`."""
    where = line_of(1)
    made = _function(function, lambda f: post_signature(f, takes), requirements, where)
    return Post(made, where=where)


def trained(model: Any, columns: NamedColumns) -> Part:
    """A library's model, and the columns that it was fitted on: whatever a `Candidate` may have as
    its model by itself."""
    return Trained(model, columns, where=line_of(1))


def ensemble(members: Mapping[str, Part], *, weights: Mapping[str, float] | None = None) -> Part:
    """The weighted mean of the members' scores; equal weights if none are given."""
    where, faults = line_of(1), list[Fault]()
    if not isinstance(members, Mapping):
        return part_of(members, where)
    if weights is not None and not isinstance(weights, Mapping):
        what, hint = f"the weights are a {type(weights).__name__}", "give one by each member's name"
        faults.append(Fault("graph.weight", what, where, hint))
        weights = None
    known = {str(name): weight for name, weight in (weights or {}).items()}
    if weights is not None:
        for name in sorted(set(members) ^ set(known), key=str):
            what = f"the member '{name}' has no weight"
            if name in known:
                what = f"there is a weight for '{name}', which is no member"
            faults.append(Fault("graph.weight", what, where, "weigh each member, and no other"))
    made = tuple(
        Member(str(name), known.get(str(name), 1.0), part_of(part, where))
        for name, part in members.items()
    )
    return Ensemble(made, tuple(faults), where=where)


def cascade(first: Part, second: Part, *, unsure: tuple[float, float]) -> Part:
    """The first one's scores, and where these lie in `unsure`, both ends counted, the second one's:
    it is asked of these rows only."""
    where = line_of(1)
    pair = isinstance(unsure, tuple | list) and len(unsure) == 2
    low, high = unsure if pair else (float("nan"), float("nan"))
    return Cascade(part_of(first, where), part_of(second, where), low, high, where=where)


def _function(
    function: Any,
    read: Callable[[FunctionType], Signature],
    requirements: Sequence[str],
    where: str,
) -> Function:
    name = str(getattr(function, "__name__", type(function).__name__))
    if not isinstance(function, FunctionType):
        what = f"{name} is a {type(function).__name__}, which has no source that can be carried"
        fault = Fault("graph.function", what, where, "write a function of a module that calls it")
        return Function(name, "", {}, {}, faults=(fault,))
    named = [requirements] if isinstance(requirements, str) else list(requirements)
    carried = source_of(function, named)
    at = place_of(function)
    faults = [
        Fault(code, f"the function '{name}' {what}", at, hint)
        for code, what, hint in carried.faults
    ]
    if name == "<lambda>":
        return Function(name, "", {}, {}, faults=tuple(faults))
    signature = read(function)
    faults += signature.faults
    return Function(
        name,
        carried.text,
        signature.takes,
        signature.gives,
        carried.requirements,
        faults=tuple(faults),
    )
