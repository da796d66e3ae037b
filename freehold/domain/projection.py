"""Tables for queries, folded from facts.

A projection is a pure function from a fact and the state before it to changes of that state.
The ledger applies the changes in the transaction that appends the fact, and can rebuild the
whole state by folding the log again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from freehold.domain.canonical import canonical
from freehold.domain.errors import FreeholdError
from freehold.domain.fact import Fact


class State(Protocol):
    """Projected state: JSON values by table and key."""

    def get(self, table: str, key: str) -> Any | None:
        """None if there is no such row. The caller must not change what it gets."""

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Rows whose key starts with `prefix`, sorted by key."""


class Change(NamedTuple):
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
    """Pure. Writes only to tables that no other projection writes to. May raise one of MISFITS on a
    fact whose body is not what it expects: nothing of what it gave is then written."""


Row = tuple[str, str, bytes | None]
"""Table, key, and JSON of the value; None removes the row."""


class WritableState(State, Protocol):
    def write(self, rows: Iterable[Row]) -> None: ...


SEEN = "seen"
"""Table, kept by the folding itself: writer → {other writer: how many of its entries it had seen}.
"""

UNREADABLE = "unreadable"
"""Table, kept by the folding itself: fact → {type, version, projections: [name]}. Projections that
could make nothing of a fact: its body is wrong, or of a shape that a later release introduced."""

MISFITS = (
    ArithmeticError,
    AttributeError,
    FreeholdError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a fold raises on a body that it does not expect."""


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
        """A fact that is being appended. The stored bytes are folded, not the object in memory: a
        rebuild then sees the same.

        Raises ValueError if the bytes are not a fact, and what a projection raises: a fact that its
        own writer cannot read must not be recorded.
        """
        fact = self._parsed(encoded)
        if fact is not None:
            if fact.seen:
                _see(fact, state)
            for projection in self._by_type.get(fact.type, ()):
                state.write(_rows(projection.fold(fact, _TextKeys(state))))

    def refold(self, encoded: bytes, state: WritableState) -> None:
        """The stored bytes of a fact of any log, as `fold_read`. Raises ValueError if they are not
        a fact."""
        fact = self._parsed(encoded)
        if fact is not None:
            self.fold_read(fact, state)

    def fold_read(self, fact: Fact, state: WritableState) -> None:
        """A fact of any log that was read from its stored bytes.

        It is there to stay, so what a projection cannot read of it is passed over, by all sites
        alike, and noted. An own fact that could not be folded was never appended: folding it again
        gives what appending it gave.
        """
        if fact.seen:
            _see(fact, state)
        failed, keys = [], _TextKeys(state)
        for projection in self._by_type.get(fact.type, ()):
            try:
                rows = _rows(projection.fold(fact, keys))
            except MISFITS:
                failed.append(projection.name)
                continue
            state.write(rows)
        if failed:
            noted = {"projections": failed, "type": fact.type, "version": fact.version}
            state.write([(UNREADABLE, fact.name, orjson.dumps(noted))])

    def _parsed(self, encoded: bytes) -> Fact | None:
        """None if folding it can change nothing."""
        value = orjson.loads(encoded)
        if not isinstance(value, dict):
            raise ValueError("not a fact: not an object")
        if value.get("type") not in self._by_type and not value.get("seen"):
            return None
        return Fact.from_json(value)


class _TextKeys:
    """A state that is asked for texts only: stores differ in what they make of other keys."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, table: str, key: str) -> Any | None:
        if type(key) is not str:
            raise _no_text(key)
        return self._state.get(table, key)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        if type(prefix) is not str:
            raise _no_text(prefix)
        return self._state.scan(table, prefix)


def _no_text(key: object) -> TypeError:
    return TypeError(f"a key is a text, not {key!r}")


def _see(fact: Fact, state: WritableState) -> None:
    seen = {writer: int(head.partition(":")[0]) for writer, head in fact.seen.items()}
    known = {**(state.get(SEEN, fact.writer) or {}), **seen}
    state.write([(SEEN, fact.writer, orjson.dumps(known))])


def _rows(changes: Iterable[Change]) -> list[Row]:
    """All, before any is written, and such that every store can write them. Raises MISFITS.

    Encoded here, where it shows whether they can be: once for the check and for the store.
    """
    rows: list[Row] = []
    before, encoded = None, None
    for table, key, value in tuple(changes):
        if type(key) is not str:
            raise _no_text(key)
        # Several tables may get one and the same value.
        if value is not before:
            before, encoded = value, None if value is None else orjson.dumps(value)
        rows.append((table, key, encoded))
    return rows
