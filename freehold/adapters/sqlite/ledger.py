"""The ledger in one SQLite file: one transaction for entries, checkpoint and projections."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import replace
from itertools import chain
from pathlib import Path

import orjson

from freehold.adapters.sqlite.connection import Readers, boundary, connect
from freehold.adapters.sqlite.continuing import leave_log
from freehold.adapters.sqlite.logs import Arrived, LogRow, Logs
from freehold.adapters.sqlite.merging import MANY, Merging
from freehold.adapters.sqlite.schema import meta, prepare, read_head, write_head
from freehold.adapters.sqlite.state import (
    SqliteState,
    SqliteStateInTransaction,
    uncollected,
)
from freehold.adapters.sqlite.taking_in import TakingIn
from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import Conflict, IntegrityError
from freehold.domain.fact import Draft, Entry
from freehold.domain.head import Head
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier
from freehold.domain.projection import Folding, Projection, State
from freehold.ports.clock import Clock
from freehold.ports.ledger import (
    Decision,
    HeldLog,
    KeepsLeaves,
    MergingLedger,
    Rebuilds,
    Stretch,
)
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
_FOREIGN_PAGES = {
    "encoded": "SELECT sequence, IFNULL(CAST(encoded AS BLOB), x'') FROM foreign_entries"
    " WHERE writer = ? AND sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?",
    "checkpoint": "SELECT size, IFNULL(CAST(encoded AS BLOB), x'') FROM foreign_checkpoints"
    " WHERE writer = ? AND size >= ? AND size < ? ORDER BY size LIMIT ?",
}


class SqliteLedger(MergingLedger, Rebuilds, KeepsLeaves):
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
        self._taking_in = TakingIn(path, self._connection)
        self._logs = Logs(self._connection)
        self._merging = Merging(self._connection, self._folding, self._staged)
        try:
            with self._transaction():
                self._writer = prepare(self._connection, path, writer)
                _, folded_by = read_head(self._connection, path, self._writer)
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
            head = self._current(connection)
            drafts = decision(self._staged)
            return self._extend(connection, head, drafts) if drafts else ()

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        return chain.from_iterable(_pages(self._lend_own, "encoded", start, stop))

    def leaves(self) -> Iterator[bytes]:
        pages = _pages(self._lend_own, "leaf", 0, None)
        return (leaf for page in pages for _, leaf in page)

    def checkpoints(self) -> Iterator[Checkpoint]:
        """One that cannot be read is given with its size and an empty signature."""
        pages = _pages(self._lend_own, "checkpoint", 0, None)
        return (_checkpoint(size, encoded) for page in pages for size, encoded in page)

    def rebuild(self) -> int:
        with self._transaction():
            return self._fold_all()

    def close(self) -> None:
        with self._lock:
            self._taking_in.wait()
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

    def logs(self) -> tuple[HeldLog, ...]:
        with self._lend_own() as connection:
            own, _ = read_head(connection, self._path, self._writer)
            rows = Logs(connection).rows()
        size = own.frontier.size
        newest = self._newest_checkpoint(self._writer)
        held = [HeldLog(self._writer, size, own.frontier.root().hex(), size, newest)]
        for row in rows:
            root, newest = row.frontier.root().hex(), self._newest_checkpoint(row.writer)
            held.append(HeldLog(row.writer, row.frontier.size, root, row.folded, newest))
        return tuple(sorted(held, key=lambda log: log.writer))

    def log_lines(
        self, writer: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        if writer == self._writer:
            return self.lines(start, stop)
        pages = _pages(self._readers.lend, "encoded", start, stop, writer)
        return chain.from_iterable(pages)

    def log_checkpoints(self, writer: str, above: int = 0) -> Iterator[Checkpoint]:
        if writer == self._writer:
            pages = _pages(self._lend_own, "checkpoint", above + 1, None)
        else:
            pages = _pages(self._readers.lend, "checkpoint", above + 1, None, writer)
        return (_checkpoint(size, encoded) for page in pages for size, encoded in page)

    def receive(self, stretches: Sequence[Stretch], *, fold: bool = True) -> int:
        came = sum(len(stretch.lines) for stretch in stretches)
        with self._lock, ExitStack() as after:
            if came >= MANY or not stretches:
                # The log begins anew only if all of it was taken in when a transaction begins.
                self._taking_in.wait()
            with uncollected(), self._transaction() as connection:
                return self._receive(connection, stretches, came, fold, after)

    def _receive(
        self,
        connection: sqlite3.Connection,
        stretches: Sequence[Stretch],
        came: int,
        fold: bool,
        after: ExitStack,
    ) -> int:
        """`came`: lines. `after`: what ends once the transaction has."""
        arrived = Arrived()
        head = self._current(connection)
        rows = {row.writer: row for row in self._logs.rows()}
        count = came + sum(row.frontier.size - row.folded for row in rows.values())
        beside = None
        if count >= MANY:
            after.enter_context(self._taking_in.beside())
            if fold and (beside := self._merging.beside(count, head.frontier.size)):
                after.enter_context(closing(beside))
        for stretch in stretches:
            if stretch.writer == self._writer:
                raise _own(self._writer)
            if stretch.writer not in rows:
                rows[stretch.writer] = LogRow(
                    stretch.writer, Frontier(), HybridTime(0), folded=0, announced=0
                )
            self._logs.take(rows[stretch.writer], stretch, arrived)
        if fold:
            found = [rows[writer] for writer in sorted(rows)]
            own = self._writer, head.frontier.size
            self._merging.fold_new(own, self._logs, found, arrived, beside)
        return arrived.count

    def continue_as(
        self, writer: str, signer: Signer, keep: int | None, drafts: Sequence[Draft] = ()
    ) -> int:
        with self._transaction() as connection:
            own = self._current(connection).frontier.size
            kept = own if keep is None else keep
            again = leave_log(connection, self._logs, self._writer, writer, kept)
            before = self._writer, self._signer
            try:
                self._writer, self._signer = writer, signer
                self._merging.place_all(writer, self._logs)
                if again or drafts:
                    self._extend(connection, self._current(connection), [*again, *drafts])
            except BaseException:
                self._writer, self._signer = before
                raise
        return len(again)

    def _newest_checkpoint(self, writer: str) -> Checkpoint | None:
        own = writer == self._writer
        table, where = ("checkpoints", "?1 = ?1") if own else ("foreign_checkpoints", "writer = ?1")
        with self._readers.lend() as connection:
            row = connection.execute(
                f"SELECT size, encoded FROM {table} WHERE {where} ORDER BY size DESC LIMIT 1",
                (writer,),
            ).fetchone()
        return None if row is None else _checkpoint(*row)

    def _current(self, connection: sqlite3.Connection) -> Head:
        """The own log's end. Raises Conflict if the file moved on under this process."""
        self._require_own(connection)
        head, folded_by = read_head(connection, self._path, self._writer)
        if folded_by != self._folding.identity:
            raise Conflict(
                f"the tables of {self._path} were folded by another release of Freehold",
                why=f"they are {folded_by}, this process has {self._folding.identity}",
                code="ledger.other-projections",
                hint="start this command again",
            )
        return head

    @contextmanager
    def _lend_own(self) -> Iterator[sqlite3.Connection]:
        """To read the own log. A process that missed that it was left would take the entries of the
        new one for its own, and publish them under the old name."""
        with self._readers.lend() as connection, _snapshot(connection):
            self._require_own(connection)
            yield connection

    def _require_own(self, connection: sqlite3.Connection) -> None:
        """Raises Conflict if another process went on in a new log: the tables hold that one now."""
        if meta(connection, "writer") != self._writer:
            raise Conflict(
                f"the log {self._writer} was left: this site goes on in another one",
                why=f"it is {meta(connection, 'writer')} now",
                code="ledger.other-writer",
                hint="start this command again",
            )

    def _extend(
        self, connection: sqlite3.Connection, head: Head, drafts: Sequence[Draft]
    ) -> tuple[Entry, ...]:
        merged = self._has_others(connection)
        wall = self._clock()
        entries = head.extend(drafts, wall, self._logs.unannounced() if merged else None)
        connection.executemany(
            "INSERT INTO entries VALUES (?, ?, ?)",
            [(entry.fact.sequence, entry.encoded, entry.leaf) for entry in entries],
        )
        if merged:
            self._merging.append(entries)
        else:
            self._fold(entries)
        self._sign(head.checkpoint(wall, self._signer.public.fingerprint))
        write_head(connection, head)
        return entries

    def _has_others(self, connection: sqlite3.Connection) -> bool:
        return connection.execute("SELECT 1 FROM logs LIMIT 1").fetchone() is not None

    def _sign(self, checkpoint: Checkpoint) -> None:
        signature = self._signer.sign(checkpoint.signed_bytes()).hex()
        self._connection.execute(
            "INSERT INTO checkpoints VALUES (?, ?)",
            (checkpoint.size, canonical(replace(checkpoint, signature=signature).as_json())),
        )

    def _fold(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if self._folding.reads(entry.fact):
                self._folding.fold(entry.encoded, self._staged)

    def _fold_all(self) -> int:
        connection = self._connection
        connection.execute("UPDATE frontier SET projections = ?", (self._folding.identity,))
        if self._has_others(connection):
            return self._merging.place_all(self._writer, self._logs)
        return self._merging.fold_alone(self._writer)


def _pages(
    lend: Callable[[], AbstractContextManager[sqlite3.Connection]],
    what: str,
    start: int,
    stop: int | None,
    writer: str = "",
) -> Iterator[list[tuple[int, bytes]]]:
    """Each page is one short reading, so that a slow caller holds nobody up. Of the own log
    unless another writer is named."""
    end = _LAST if stop is None else stop
    query, of = (_FOREIGN_PAGES[what], (writer,)) if writer else (_PAGES[what], ())
    while True:
        with lend() as connection:
            page = connection.execute(query, (*of, start, end, _PAGE)).fetchall()
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


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Several readings of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _own(writer: str) -> IntegrityError:
    return IntegrityError(
        f"the log {writer} is this site's own: nobody else adds to it",
        code="log.own",
        hint="`freehold sites` tells whether this site's state was restored from a backup",
    )
