"""Projected state, as rows of one table."""

import gc
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import orjson

from freehold.adapters.sqlite.marks import Marks
from freehold.domain.projection import Row

_PAGE = 256
_GATHERED = 32_768
"""Writes that are kept in memory, about."""
_DELETE = 'DELETE FROM state WHERE "table" = ? AND key = ?'
_NOTE = "INSERT INTO undo VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
_REPLACE = "INSERT OR REPLACE INTO state VALUES (?, ?, ?)"

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
        return ((key, orjson.loads(value)) for key, value in self.encoded_rows(table, prefix))

    def encoded_rows(self, table: str, prefix: str = "") -> list[tuple[str, bytes]]:
        """What `scan` gives, as JSON."""
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
        return found


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

    def __init__(self, state: SqliteState, *, empty: bool = False) -> None:
        """`empty`: whether the tables are: then a row that was not written here is not there."""
        super().__init__(state.lend)
        self.place: At | None = None
        """Of the fact that is being folded, if its writes shall be undoable."""
        self._notes: list[tuple[object, ...]] = []
        self._flushed = Marks() if empty else None
        """Marks at the hashes of keys: most rows are asked for before they are there, and need no
        query. As large for a long history as for a short one."""
        self._written: dict[str, dict[str, bytes | None]] = defaultdict(dict)
        self._room = _GATHERED

    def encoded(self, table: str, key: str) -> bytes | None:
        rows = self._written[table]
        if key in rows:
            return rows[key]
        if self._flushed is not None and (table, key) not in self._flushed:
            return None
        return super().encoded(table, key)

    def encoded_rows(self, table: str, prefix: str = "") -> list[tuple[str, bytes]]:
        self.flush()
        return super().encoded_rows(table, prefix)

    def write(self, rows: Iterable[Row]) -> None:
        for table, key, encoded in rows:
            if self.place is not None:
                self._notes.append((*self.place, table, key, self.encoded(table, key)))
            self._written[table][key] = encoded
            self._room -= 1
        if self._room <= 0:
            self.flush()

    def write_tables(self, tables: Mapping[str, Mapping[str, bytes | None]]) -> None:
        """Rows by table and key, without a note of what they replace."""
        for table, rows in tables.items():
            self._written[table].update(rows)
            self._room -= len(rows)
        if self._room <= 0:
            self.flush()

    def flush(self) -> None:
        """By key, so that each page of the table is touched once."""
        with self.lend() as connection:
            connection.executemany(_NOTE, self._notes)
            for table, rows in sorted(self._written.items()):
                kept = sorted(rows)
                if None in rows.values():
                    gone = [(table, key) for key in kept if rows[key] is None]
                    connection.executemany(_DELETE, gone)
                    kept = [key for key in kept if rows[key] is not None]
                connection.executemany(_REPLACE, [(table, key, rows[key]) for key in kept])
                if self._flushed is not None:
                    for key in kept:
                        self._flushed.add((table, key))
        self._written.clear()
        self._notes.clear()
        self._room = _GATHERED
