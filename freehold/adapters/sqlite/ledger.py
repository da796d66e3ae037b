"""The ledger in one SQLite file: one transaction for entries, checkpoint and projections."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

import orjson

from freehold.adapters.sqlite.connection import Readers, boundary, connect
from freehold.adapters.sqlite.schema import prepare, read_head, write_head
from freehold.adapters.sqlite.state import SqliteState, SqliteStateInTransaction
from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import Conflict, IntegrityError
from freehold.domain.fact import Draft, Entry
from freehold.domain.projection import Folding, Projection, State
from freehold.ports.clock import Clock
from freehold.ports.ledger import Decision, KeepsLeaves, Ledger, Rebuilds
from freehold.ports.signer import Signer

_PAGE = 1000
_LAST = 2**63 - 1

# A damaged row may hold another type than it was given: whoever verifies wants the bytes.
_PAGES = {
    "encoded": "SELECT sequence, IFNULL(CAST(encoded AS BLOB), x'') FROM entries"
    " WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?",
    "leaf": "SELECT sequence, IFNULL(CAST(leaf AS BLOB), x'') FROM entries"
    " WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?",
    "checkpoint": "SELECT size, IFNULL(CAST(encoded AS BLOB), x'') FROM checkpoints"
    " WHERE size >= ? AND size < ? ORDER BY size LIMIT ?",
}


class SqliteLedger(Ledger, Rebuilds, KeepsLeaves):
    """Many threads and processes may hold one file open; SQLite's lock puts them in a row.

    Opened with other projections than the state was folded by, it folds the log again. Opened
    without any, it leaves the state alone, and appends only if there never was one.
    """

    def __init__(
        self,
        path: Path,
        *,
        writer: str,
        signer: Signer,
        clock: Clock,
        projections: Sequence[Projection] = (),
        wait: float = 30.0,
    ) -> None:
        """`wait`: seconds until another process's transaction counts as stuck."""
        self._path, self._writer, self._signer, self._clock = path, writer, signer, clock
        self._folding = Folding(projections)
        self._lock = threading.RLock()
        self._readers = Readers(path, wait=wait)
        self._state = SqliteState(self._readers.lend)
        with boundary(path):
            self._connection = connect(path, wait=wait)
        self._staged = SqliteStateInTransaction(lambda: nullcontext(self._connection))
        try:
            with self._transaction():
                prepare(self._connection, path, writer)
                _, folded_by = read_head(self._connection, path, writer)
                if projections and folded_by != self._folding.identity:
                    self._fold_all()
        except BaseException:
            self.close()
            raise

    @property
    def writer(self) -> str:
        return self._writer

    @property
    def state(self) -> State:
        return self._state

    def append(self, drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        return self.decide(lambda _: drafts)

    def decide(self, decision: Decision) -> tuple[Entry, ...]:
        with self._transaction() as connection:
            head, folded_by = read_head(connection, self._path, self._writer)
            if folded_by != self._folding.identity:
                raise Conflict(
                    f"the tables of {self._path} were folded by another release of Freehold",
                    why=f"they are {folded_by}, this process has {self._folding.identity}",
                    code="ledger.other-projections",
                    hint="start this command again",
                )
            drafts = decision(self._staged)
            if not drafts:
                return ()
            wall = self._clock()
            entries = head.extend(drafts, wall)
            connection.executemany(
                "INSERT INTO entries VALUES (?, ?, ?)",
                [(entry.fact.sequence, entry.encoded, entry.leaf) for entry in entries],
            )
            self._fold(entries)
            self._sign(head.checkpoint(wall, self._signer.public.fingerprint))
            write_head(connection, head)
        return entries

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        return chain.from_iterable(_pages(self._readers.lend, "encoded", start, stop))

    def leaves(self) -> Iterator[bytes]:
        pages = _pages(self._readers.lend, "leaf", 0, None)
        return (leaf for page in pages for _, leaf in page)

    def checkpoints(self) -> Iterator[Checkpoint]:
        """One that cannot be read is given with its size and an empty signature."""
        pages = _pages(self._readers.lend, "checkpoint", 0, None)
        return (_checkpoint(size, encoded) for page in pages for size, encoded in page)

    def rebuild(self) -> int:
        with self._transaction():
            return self._fold_all()

    def close(self) -> None:
        with self._lock:
            self._readers.close()
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, boundary(self._path):
            connection = self._connection
            if connection.in_transaction:
                raise RuntimeError("a decision must not append to its own ledger")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _sign(self, checkpoint: Checkpoint) -> None:
        signature = self._signer.sign(checkpoint.signed_bytes()).hex()
        self._connection.execute(
            "INSERT INTO checkpoints VALUES (?, ?)",
            (checkpoint.size, canonical(replace(checkpoint, signature=signature).as_json())),
        )

    def _fold(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if self._folding.reads(entry.fact.type):
                self._folding.fold(entry.encoded, self._staged)

    def _fold_all(self) -> int:
        connection, folded = self._connection, 0
        connection.execute("DELETE FROM state")
        for page in _pages(lambda: nullcontext(connection), "encoded", 0, None):
            for sequence, encoded in page:
                try:
                    self._folding.fold(encoded, self._staged)
                except ValueError as exc:
                    raise IntegrityError(
                        f"entry {sequence} of {self._path} cannot be read",
                        why=str(exc),
                        code="ledger.damaged",
                        hint="run `freehold audit verify`, and restore the file from a copy",
                    ) from exc
            folded += len(page)
        connection.execute("UPDATE frontier SET projections = ?", (self._folding.identity,))
        return folded


def _pages(
    lend: Callable[[], AbstractContextManager[sqlite3.Connection]],
    what: str,
    start: int,
    stop: int | None,
) -> Iterator[list[tuple[int, bytes]]]:
    """Each page is one short reading, so that a slow caller holds nobody up."""
    end = _LAST if stop is None else stop
    while True:
        with lend() as connection:
            page = connection.execute(_PAGES[what], (start, end, _PAGE)).fetchall()
        yield page
        if len(page) < _PAGE:
            return
        start = page[-1][0] + 1


def _checkpoint(size: int, encoded: bytes) -> Checkpoint:
    """What does not say its own size in the one spelling there is was not written here."""
    with suppress(ValueError):
        found = Checkpoint.from_json(orjson.loads(encoded))
        if found.size == size and canonical(found.as_json()) == encoded:
            return found
    return Checkpoint(writer="", size=size, root="", wall=0, key="")
