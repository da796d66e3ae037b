"""Projected state, as rows of one table."""

import gc
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import orjson

from freehold.adapters.sqlite.bulk import Behind, replace_rows
from freehold.adapters.sqlite.marks import Marks
from freehold.domain.projection import Row

_PAGE = 256
_DELETE = 'DELETE FROM state WHERE "table" = ? AND key = ?'
_NOTE = "INSERT INTO undo VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
_REPLACE = "INSERT OR REPLACE INTO state VALUES (?, ?, ?)"

Written = dict[str, dict[str, bytes | None]]
"""JSON of rows by table and key; None where a row is removed."""
At = tuple[int, int, str, int]
"""The values of a `Place`, as they are stored."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for cycles, of which facts have none: it goes through all that is in
    memory again and again while many are read, which took a quarter of the time of merging."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class SqliteState:
    """Reads through whatever connection it is lent: a reader's, or the open transaction's."""

    def __init__(self, lend: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self.lend = lend

    def get(self, table: str, key: str) -> Any | None:
        encoded = self.encoded(table, key)
        return None if encoded is None else orjson.loads(encoded)

    def encoded(self, table: str, key: str) -> bytes | None:
        """JSON of a row."""
        with self.lend() as connection:
            row = connection.execute(
                'SELECT value FROM state WHERE "table" = ? AND key = ?', (table, key)
            ).fetchone()
        return None if row is None else row[0]

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """One consistent reading, whatever is appended while the caller goes through it."""
        found: list[tuple[str, bytes]] = []
        with self.lend() as connection:
            cursor = connection.execute(
                'SELECT key, value FROM state WHERE "table" = ? AND key >= ? ORDER BY key',
                (table, prefix),
            )
            while page := cursor.fetchmany(_PAGE):
                found.extend(row for row in page if row[0].startswith(prefix))
                if not page[-1][0].startswith(prefix):
                    break
            cursor.close()
        return ((key, orjson.loads(value)) for key, value in found)


class SqliteStateInTransaction(SqliteState):
    """What projections write to."""

    def write(self, rows: Iterable[Row]) -> None:
        with self.lend() as connection:
            for table, key, encoded in rows:
                if encoded is None:
                    connection.execute(_DELETE, (table, key))
                else:
                    connection.execute(_REPLACE, (table, key, encoded))


class GatheredState(SqliteState):
    """Keeps writes in memory until `flush`, and notes on demand what they replace."""

    def __init__(self, state: SqliteState, behind: Behind, *, empty: bool = False) -> None:
        """`empty`: whether the tables are: then a row that was not written here is not there."""
        super().__init__(self._lend)
        self._lend_at_once, self._behind = state.lend, behind
        self.place: At | None = None
        """Of the fact that is being folded, if its writes shall be undoable."""
        self._notes: list[tuple[object, ...]] = []
        self._flushed = Marks() if empty else None
        """Most rows are asked for before they are there, and need no query."""
        self._written: Written = defaultdict(dict)
        self._leaving: Written = {}
        """What was flushed last, perhaps still under way: it is asked for most."""

    @contextmanager
    def _lend(self) -> Iterator[sqlite3.Connection]:
        self._behind.wait()
        with self._lend_at_once() as connection:
            yield connection

    def encoded(self, table: str, key: str) -> bytes | None:
        for rows in (self._written.get(table), self._leaving.get(table)):
            if rows is not None and key in rows:
                return rows[key]
        if self._flushed is not None and not self._flushed.may_have(table, key):
            return None
        return super().encoded(table, key)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        self.flush()
        return super().scan(table, prefix)

    def write(self, rows: Iterable[Row]) -> None:
        for table, key, encoded in rows:
            if self.place is not None:
                self._notes.append((*self.place, table, key, self.encoded(table, key)))
            self._written[table][key] = encoded

    def flush_behind(self) -> None:
        """Begins it; whatever else uses the connection waits for its end by `lend`."""
        self._behind.wait()
        self._behind.begin(self._leave())

    def flush(self) -> None:
        self._behind.wait()
        self._leave()()

    def _leave(self) -> Callable[[], None]:
        """What stores the rows that were written."""
        self._leaving, notes = self._written, self._notes
        self._written, self._notes = defaultdict(dict), []
        if self._flushed is not None:
            for table, rows in self._leaving.items():
                for key in rows:
                    self._flushed.add(table, key)
        return partial(self._store, self._leaving, notes)

    def _store(self, written: Written, notes: list[tuple[object, ...]]) -> None:
        with self._lend_at_once() as connection:
            if notes:
                connection.executemany(_NOTE, notes)
            for table, rows in written.items():
                if None in rows.values():
                    gone = [(table, key) for key, value in rows.items() if value is None]
                    connection.executemany(_DELETE, gone)
                kept = {key: value for key, value in rows.items() if value is not None}
                replace_rows(connection, table, list(kept), list(kept.values()))
