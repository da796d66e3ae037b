"""Projected state in dictionaries."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from freehold.domain.projection import Row

Rows = dict[str, dict[str, bytes]]


class MemoryState:
    """JSON by table and key, so that nobody can change a row that he was given."""

    def __init__(self) -> None:
        self.rows: Rows = {}

    def get(self, table: str, key: str) -> Any | None:
        encoded = self.rows.get(table, {}).get(key)
        return None if encoded is None else orjson.loads(encoded)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        rows = self.rows.get(table, {}).copy()
        found = sorted(key for key in rows if key.startswith(prefix))
        return ((key, orjson.loads(rows[key])) for key in found)


class Staged(MemoryState):
    """What an append writes, until it is certain: tables are copied when first written to."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows.copy()
        self._own: set[str] = set()

    def write(self, rows: Iterable[Row]) -> None:
        for table, key, encoded in rows:
            if table not in self._own:
                self._own.add(table)
                self.rows[table] = self.rows.get(table, {}).copy()
            if encoded is None:
                self.rows[table].pop(key, None)
            else:
                self.rows[table][key] = encoded
