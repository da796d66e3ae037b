"""A ledger that lives as long as its process: for tests, trials and dry runs."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Draft, Entry
from freehold.domain.head import Head
from freehold.domain.projection import Change, Folding, Projection, State
from freehold.ports.clock import Clock
from freehold.ports.ledger import Decision, KeepsLeaves, Ledger, Rebuilds
from freehold.ports.signer import Signer

Rows = dict[str, dict[str, bytes]]


class MemoryState:
    """Canonical JSON by table and key, so that nobody can change a row that he was given."""

    def __init__(self) -> None:
        self.rows: Rows = {}

    def get(self, table: str, key: str) -> Any | None:
        encoded = self.rows.get(table, {}).get(key)
        return None if encoded is None else orjson.loads(encoded)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        rows = self.rows.get(table, {}).copy()
        found = sorted(key for key in rows if key.startswith(prefix))
        return ((key, orjson.loads(rows[key])) for key in found)


class _Staged(MemoryState):
    """What an append writes, until it is certain: tables are copied when first written to."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows.copy()
        self._own: set[str] = set()

    def write(self, change: Change) -> None:
        if change.table not in self._own:
            self._own.add(change.table)
            self.rows[change.table] = self.rows.get(change.table, {}).copy()
        if change.value is None:
            self.rows[change.table].pop(change.key, None)
        else:
            self.rows[change.table][change.key] = canonical(change.value)


class MemoryLedger(Ledger, Rebuilds, KeepsLeaves):
    """Every law of the port but durability."""

    def __init__(
        self,
        *,
        writer: str,
        signer: Signer,
        clock: Clock,
        projections: Sequence[Projection] = (),
    ) -> None:
        self._writer, self._signer, self._clock = writer, signer, clock
        self._folding = Folding(projections)
        self._lock = threading.RLock()
        self._deciding = False
        self._head = Head(writer)
        self._entries: list[Entry] = []
        self._checkpoints: list[Checkpoint] = []
        self._state = MemoryState()

    @property
    def writer(self) -> str:
        return self._writer

    @property
    def state(self) -> State:
        return self._state

    def append(self, drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        return self.decide(lambda _: drafts)

    def decide(self, decision: Decision) -> tuple[Entry, ...]:
        with self._lock:
            if self._deciding:
                raise RuntimeError("a decision must not append to its own ledger")
            self._deciding = True
            try:
                return self._decide(decision)
            finally:
                self._deciding = False

    def _decide(self, decision: Decision) -> tuple[Entry, ...]:
        drafts = decision(self._state)
        if not drafts:
            return ()
        wall = self._clock()
        head = Head(self._writer, self._head.frontier.copy(), self._head.time)
        entries = head.extend(drafts, wall)
        staged = _Staged(self._state.rows)
        for entry in entries:
            if self._folding.reads(entry.fact.type):
                self._folding.fold(entry.encoded, staged)
        checkpoint = head.checkpoint(wall, self._signer.public.fingerprint)
        signature = self._signer.sign(checkpoint.signed_bytes()).hex()
        self._head, self._state.rows = head, staged.rows
        self._entries.extend(entries)
        self._checkpoints.append(replace(checkpoint, signature=signature))
        return entries

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        return ((e.fact.sequence, e.encoded) for e in tuple(self._entries[start:stop]))

    def leaves(self) -> Iterator[bytes]:
        return (entry.leaf for entry in tuple(self._entries))

    def checkpoints(self) -> Iterator[Checkpoint]:
        return iter(tuple(self._checkpoints))

    def rebuild(self) -> int:
        with self._lock:
            staged = _Staged({})
            for entry in self._entries:
                self._folding.fold(entry.encoded, staged)
            self._state.rows = staged.rows
            return len(self._entries)

    def close(self) -> None:
        """Nothing is kept outside; what was appended can still be read."""
