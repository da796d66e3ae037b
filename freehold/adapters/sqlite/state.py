"""Projected state, as rows of one table."""

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import orjson

from freehold.domain.projection import Change

_PAGE = 256
_GATHERED = 20_000
"""Rows that are kept in memory, at most."""


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
        with self.lend() as connection:
            row = connection.execute(
                'SELECT value FROM state WHERE "table" = ? AND key = ?', (table, key)
            ).fetchone()
        return None if row is None else orjson.loads(row[0])

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

    def write(self, change: Change) -> None:
        with self.lend() as connection:
            if change.value is None:
                connection.execute(
                    'DELETE FROM state WHERE "table" = ? AND key = ?', (change.table, change.key)
                )
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO state VALUES (?, ?, ?)",
                    (change.table, change.key, orjson.dumps(change.value)),
                )


class GatheredState(SqliteStateInTransaction):
    """Keeps writes in memory until `flush`: for folding many facts at once."""

    def __init__(self, state: SqliteStateInTransaction, empty: bool) -> None:
        """`empty`: whether the tables are: then a row that was not written here is not there."""
        super().__init__(state.lend)
        self._flushed: set[int] | None = set() if empty else None
        """Hashes of keys: most rows are asked for before they are there, and need no query."""
        self._written: dict[tuple[str, str], bytes | None] = {}

    def get(self, table: str, key: str) -> Any | None:
        try:
            value = self._written[table, key]
        except KeyError:
            if self._flushed is not None and hash((table, key)) not in self._flushed:
                return None
            return super().get(table, key)
        return None if value is None else orjson.loads(value)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        self.flush()
        return super().scan(table, prefix)

    def write(self, change: Change) -> None:
        value = None if change.value is None else orjson.dumps(change.value)
        self._written[change.table, change.key] = value
        if len(self._written) >= _GATHERED:
            self.flush()

    def flush(self) -> None:
        """By key, so that each page of the table is touched once."""
        rows = sorted(self._written.items(), key=lambda row: row[0])
        with self.lend() as connection:
            connection.executemany(
                'DELETE FROM state WHERE "table" = ? AND key = ?',
                [place for place, value in rows if value is None],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO state VALUES (?, ?, ?)",
                [(*place, value) for place, value in rows if value is not None],
            )
        if self._flushed is not None:
            self._flushed.update(map(hash, self._written))
        self._written.clear()
