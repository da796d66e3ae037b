"""Other writers' logs beside the own one: their rows, and where the own log stands towards them."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from freehold.adapters.sqlite.state import uncollected
from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.continuation import continued
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier
from freehold.ports.ledger import Stretch

_PAGE = 1000
_HASH = 32


@dataclass
class LogRow:
    writer: str
    frontier: Frontier
    time: HybridTime
    """Of the last entry, by its writer."""
    folded: int
    announced: int
    """How many of the folded ones the own log has said that it saw."""


class Logs:
    """Within the caller's transaction, or a reader's connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self) -> list[LogRow]:
        found = self._connection.execute(
            "SELECT writer, size, roots, wall, logical, folded, announced FROM logs ORDER BY writer"
        )
        return [_row(values) for values in found]

    def save(self, row: LogRow) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO logs VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                row.writer,
                row.frontier.size,
                b"".join(row.frontier.roots),
                row.time.wall,
                row.time.logical,
                row.folded,
                row.announced,
            ),
        )

    def take(self, row: LogRow, stretch: Stretch) -> list[Fact]:
        """Verify and store. Returns what is new. Raises IntegrityError."""
        held = row.frontier.size
        lines, heads = stretch.lines, stretch.checkpoints
        with uncollected():
            found = continued(row.writer, row.frontier, row.time, stretch.first, lines, heads)
        self._connection.executemany(
            "INSERT INTO foreign_entries VALUES (?, ?, ?, ?)",
            [(row.writer, e.fact.sequence, e.encoded, e.leaf) for e in found.entries],
        )
        self.keep(one for one in stretch.checkpoints if held < one.size <= found.frontier.size)
        row.frontier, row.time = found.frontier, found.time
        self.save(row)
        return [entry.fact for entry in found.entries]

    def keep(self, checkpoints: Iterator[Checkpoint]) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO foreign_checkpoints VALUES (?, ?, ?)",
            [(one.writer, one.size, canonical(one.as_json())) for one in checkpoints],
        )

    def facts(self, writer: str, start: int) -> Iterator[Fact]:
        """Of a log that is not the own one."""
        while True:
            page = self._connection.execute(
                "SELECT encoded FROM foreign_entries WHERE writer = ? AND sequence >= ?"
                " ORDER BY sequence LIMIT ?",
                (writer, start, _PAGE),
            ).fetchall()
            for (encoded,) in page:
                yield Fact.from_json(orjson.loads(encoded))
            if len(page) < _PAGE:
                return
            start += len(page)

    def root_at(self, row: LogRow, size: int) -> str:
        """Hexadecimal root over the first entries."""
        if size == row.frontier.size:
            return row.frontier.root().hex()
        frontier = Frontier()
        frontier.extend(
            leaf
            for (leaf,) in self._connection.execute(
                "SELECT leaf FROM foreign_entries WHERE writer = ? AND sequence < ?"
                " ORDER BY sequence",
                (row.writer, size),
            )
        )
        return frontier.root().hex()

    def unannounced(self) -> dict[str, str]:
        """Heads that the next own entry has to say it saw: those are then announced."""
        seen = {}
        for row in self.rows():
            if row.folded != row.announced:
                seen[row.writer] = f"{row.folded}:{self.root_at(row, row.folded)}"
                row.announced = row.folded
                self.save(row)
        return seen


def _row(values: tuple[str, int, bytes, int, int, int, int]) -> LogRow:
    writer, size, roots, wall, logical, folded, announced = values
    try:
        parts = [roots[at : at + _HASH] for at in range(0, len(roots), _HASH)]
        frontier = Frontier(size, parts)
    except (TypeError, ValueError) as exc:
        raise IntegrityError(
            f"the end of the log of {writer} is damaged",
            why=str(exc),
            code="ledger.damaged",
            hint="run `freehold audit verify`, and restore the ledger from a copy",
        ) from exc
    return LogRow(writer, frontier, HybridTime(wall, logical), folded, announced)
