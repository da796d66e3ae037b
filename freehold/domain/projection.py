"""Tables for queries, folded from facts.

A projection is a pure function from a fact and the state before it to changes of that state.
The ledger applies the changes in the transaction that appends the fact, and can rebuild the
whole state by folding the log again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from freehold.domain.canonical import canonical
from freehold.domain.fact import Fact


class State(Protocol):
    """Projected state: JSON values by table and key."""

    def get(self, table: str, key: str) -> Any | None:
        """None if there is no such row. The caller must not change what it gets."""

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Rows whose key starts with `prefix`, sorted by key."""


@dataclass(frozen=True)
class Change:
    table: str
    key: str
    value: Any | None
    """JSON; None removes the row."""


@dataclass(frozen=True)
class Projection:
    name: str
    version: int
    """Raise it when `fold` changes its answer: the state is then rebuilt when the ledger opens."""
    types: frozenset[str]
    """Types of fact that it reads."""
    fold: Callable[[Fact, State], Iterable[Change]]
    """Pure. Writes only to tables that no other projection writes to."""


class WritableState(State, Protocol):
    def write(self, change: Change) -> None: ...


SEEN = "seen"
"""Table, kept by the folding itself: writer → {other writer: how many of its entries it had seen}.
"""


class Folding:
    """Several projections, applied to one fact after the other."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        """Raises ValueError if two projections have one name."""
        self._by_type: dict[str, list[Projection]] = {}
        self._versions = {p.name: p.version for p in projections}
        if len(self._versions) != len(projections):
            raise ValueError("two projections have the same name")
        for projection in projections:
            for kind in projection.types:
                self._by_type.setdefault(kind, []).append(projection)

    @property
    def identity(self) -> str:
        """Changes when a projection is added, dropped, or given another version."""
        return canonical(self._versions).decode()

    def reads(self, fact: Fact) -> bool:
        """Whether folding it can change anything."""
        return fact.type in self._by_type or bool(fact.seen)

    def fold(self, encoded: bytes, state: WritableState) -> None:
        """Fold the stored bytes, not the object in memory: a rebuild then sees the same.

        Raises ValueError if the bytes are not a fact.
        """
        value = orjson.loads(encoded)
        if not isinstance(value, dict):
            raise ValueError("not a fact: not an object")
        if value.get("type") not in self._by_type and not value.get("seen"):
            return
        self.fold_read(Fact.from_json(value), state)

    def fold_read(self, fact: Fact, state: WritableState) -> None:
        """A fact that was read from its stored bytes."""
        if fact.seen:
            seen = {writer: int(head.partition(":")[0]) for writer, head in fact.seen.items()}
            state.write(Change(SEEN, fact.writer, {**(state.get(SEEN, fact.writer) or {}), **seen}))
        for projection in self._by_type.get(fact.type, ()):
            for change in tuple(projection.fold(fact, state)):
                state.write(change)
