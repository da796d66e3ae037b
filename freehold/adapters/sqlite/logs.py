"""Other writers' logs beside the own one: their rows, and where the own log stands towards them."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.continuation import continued
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier
from freehold.domain.ordering import PAGE, Outline, Place, outline, outline_of
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


class Arrived:
    """What was received just now, for placing and folding it: not all of many facts is kept."""

    def __init__(self) -> None:
        self.count = 0
        self.outlines: dict[str, list[Outline]] = {}
        """By writer."""
        self.first: dict[str, int] = {}
        """By writer, the sequence of the first."""
        self.facts: dict[tuple[str, int], Fact] = {}
        """By writer and sequence; none if there are more than a page."""

    def add(self, fact: Fact) -> None:
        writer = fact.writer
        self.count += 1
        if writer not in self.outlines:
            self.outlines[writer], self.first[writer] = [], fact.sequence
        self.outlines[writer].append(outline_of(fact))
        if self.count <= PAGE:
            self.facts[writer, fact.sequence] = fact
        elif self.facts:
            self.facts.clear()

    def has_all(self, places: Iterable[Place]) -> bool:
        return all((place.writer, place.sequence) in self.facts for place in places)


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

    def take(self, row: LogRow, stretch: Stretch, arrived: Arrived) -> None:
        """Verify and store. Raises IntegrityError; then nothing of the transaction may stay."""
        held = row.frontier.size
        found = continued(
            row.writer,
            row.frontier,
            row.time,
            stretch.first,
            stretch.lines,
            stretch.checkpoints,
        )

        def values() -> Iterator[tuple[str, int, bytes, bytes]]:
            for fact, encoded, leaf in found:
                arrived.add(fact)
                row.time = fact.time
                yield row.writer, fact.sequence, encoded, leaf

        self._connection.executemany("INSERT INTO foreign_entries VALUES (?, ?, ?, ?)", values())
        self.keep(one for one in stretch.checkpoints if held < one.size <= row.frontier.size)
        self.save(row)

    def keep(self, checkpoints: Iterator[Checkpoint]) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO foreign_checkpoints VALUES (?, ?, ?)",
            [(one.writer, one.size, canonical(one.as_json())) for one in checkpoints],
        )

    def outlines(self, writer: str, start: int) -> Iterator[Outline]:
        """Of a log that is not the own one. Raises ValueError for what is no fact."""
        while True:
            page = self._connection.execute(
                "SELECT encoded FROM foreign_entries WHERE writer = ? AND sequence >= ?"
                " ORDER BY sequence LIMIT ?",
                (writer, start, _PAGE),
            ).fetchall()
            for (encoded,) in page:
                yield outline(encoded)
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
