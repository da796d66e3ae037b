"""Projected state, as rows of one table."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import orjson

from freehold.domain.canonical import canonical
from freehold.domain.projection import Change

_PAGE = 256


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
                    (change.table, change.key, canonical(change.value)),
                )
