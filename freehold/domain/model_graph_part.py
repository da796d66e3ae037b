"""What a graph of models consists of: functions, trained models, and what puts them together.

A part takes a table of named columns, or the scores of what stands before it, and gives one of the
two. Columns are numbers (float64, NaN where one is missing) or categories (text, or None).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from freehold.domain.errors import Fault


class Kind(str):
    """`number`, `category` or `scores`, where an annotation says it."""


NUMBER, CATEGORY, SCORES = Kind("number"), Kind("category"), Kind("scores")

Number = Annotated[Any, NUMBER]
"""A column of numbers: a numpy array of float64 [n], NaN where one is missing."""
Category = Annotated[Any, CATEGORY]
"""A column of text: a numpy array of objects [n], None where one is missing."""
Scores = Annotated[Any, SCORES]
"""Probabilities of the positive class: a numpy array of float64 [n]."""


class NamedColumn(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def values(self) -> tuple[str, ...]: ...


class NamedColumns(Protocol):
    """`Columns`, for whoever must not load numpy."""

    @property
    def columns(self) -> Sequence[NamedColumn]: ...


@dataclass(frozen=True)
class Part:
    where: str = field(default="", compare=False, kw_only=True)
    """`file:line` where it was composed, or its path in a document."""

    def __rshift__(self, following: Any) -> "Chain":
        """This, then the other: what this one gives is what the other takes."""
        after = part_of(following, self.where)
        return Chain(_steps(self) + _steps(after), where=self.where)


@dataclass(frozen=True)
class Function:
    """A Python function, carried by its source."""

    name: str
    source: str
    """A module that needs nothing but itself and `requirements`."""
    takes: Mapping[str, str]
    """Column → kind of the table that it is called with."""
    gives: Mapping[str, str] | None
    """The same of the table that it returns; None for scores."""
    requirements: tuple[str, ...] = ()
    """Pinned lines, beside numpy."""
    faults: tuple[Fault, ...] = field(default=(), compare=False)
    """Why it cannot be carried, or what of its types is not said."""


@dataclass(frozen=True)
class Transformer(Part):
    """A table to a table: what it gives stands beside what came in, or in its place."""

    function: Function


@dataclass(frozen=True)
class Post(Part):
    """Scores, and columns if it takes some, to scores."""

    function: Function


@dataclass(frozen=True)
class Trained(Part):
    """A table to scores, by a library's model."""

    model: Any
    columns: NamedColumns
    """What the model takes, in its order."""


@dataclass(frozen=True)
class Chain(Part):
    steps: tuple[Part, ...]


@dataclass(frozen=True)
class Member:
    name: str
    weight: float
    part: Part


@dataclass(frozen=True)
class Ensemble(Part):
    """The weighted mean of its members' scores: Σ weight · score, in their order, over Σ weight."""

    members: tuple[Member, ...]
    faults: tuple[Fault, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Cascade(Part):
    """The first one's scores; of rows where these lie in the band, both ends counted, the second
    one's, which is asked of no other rows."""

    first: Part
    second: Part
    low: float
    high: float


@dataclass(frozen=True)
class Misfit(Part):
    """What stands where a part should."""

    found: str
    """Its type; empty where a fault is recorded already."""


def part_of(value: Any, where: str) -> Part:
    return value if isinstance(value, Part) else Misfit(type(value).__name__, where=where)


def functions_of(part: Part) -> list[Function]:
    """All, in the order in which they stand; one that is used twice comes twice."""
    if isinstance(part, Transformer | Post):
        return [part.function]
    return [one for _, below in parts_below(part) for one in functions_of(below)]


def models_of(part: Part, path: tuple[str, ...] = ()) -> dict[str, Trained]:
    """By the names that they have in documents and packages: where they stand, `model` alone."""
    if isinstance(part, Trained):
        return {".".join(path) or "model": part}
    found: dict[str, Trained] = {}
    for name, below in parts_below(part):
        found |= models_of(below, (*path, name) if name else path)
    return found


def parts_below(part: Part) -> list[tuple[str, Part]]:
    """With the name of each, where it has one."""
    if isinstance(part, Chain):
        return [("", step) for step in part.steps]
    if isinstance(part, Ensemble):
        return [(member.name, member.part) for member in part.members]
    if isinstance(part, Cascade):
        return [("first", part.first), ("second", part.second)]
    return []


def _steps(part: Part) -> tuple[Part, ...]:
    return part.steps if isinstance(part, Chain) else (part,)
