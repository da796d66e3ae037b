"""Tables for queries, folded from facts.

A projection is a pure function from a fact and the state before it to changes of that state.
The ledger applies the changes in the transaction that appends the fact, and can rebuild the
whole state by folding the log again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

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
