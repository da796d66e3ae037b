"""Other writers' logs beside the own one: their rows, and where the own log stands towards them."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from freehold.adapters.sqlite.fold import unreadable
from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.continuation import continued
from freehold.domain.errors import IntegrityError
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier
from freehold.domain.ordering import Outline, outline, outline_of
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
    """What one call received, so that it need not be read again to be placed and folded."""

    def __init__(self) -> None:
        self.count = 0
        self._held: dict[str, tuple[int, list[Outline], list[Sequence[bytes]]]] = {}
        """By writer: the sequence of the first entry that is new, what the places of the new ones
        depend on, and their lines, which are the caller's."""

    def add(self, writer: str, first: int, outlines: list[Outline], lines: Sequence[bytes]) -> None:
        """New entries of a log, which go on from what was added before."""
        self.count += len(outlines)
        _, known, held = self._held.setdefault(writer, (first, [], []))
        known += outlines
        held.append(lines)

    def entries(self, writer: str, start: int) -> Iterator[tuple[Outline, bytes]] | None:
        """Of a log, from `start` on; None if they begin elsewhere."""
        first, outlines, lines = self._held.get(writer, (-1, [], []))
        return zip(outlines, chain.from_iterable(lines), strict=True) if first == start else None


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
        outlines: list[Outline] = []
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
                outlines.append(outline_of(fact))
                row.time = fact.time
                yield row.writer, fact.sequence, encoded, leaf

        self._connection.executemany("INSERT INTO foreign_entries VALUES (?, ?, ?, ?)", values())
        if outlines:
            arrived.add(row.writer, held, outlines, stretch.lines[held - stretch.first :])
        self.keep(one for one in stretch.checkpoints if held < one.size <= row.frontier.size)
        self.save(row)

    def keep(self, checkpoints: Iterator[Checkpoint]) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO foreign_checkpoints VALUES (?, ?, ?)",
            [(one.writer, one.size, canonical(one.as_json())) for one in checkpoints],
        )

    def entries(self, writer: str, start: int) -> Iterator[tuple[Outline, bytes]]:
        """Of a log that is not the own one. Raises IntegrityError for what is no fact."""
        while True:
            page = self._connection.execute(
                "SELECT sequence, encoded FROM foreign_entries WHERE writer = ? AND sequence >= ?"
                " ORDER BY sequence LIMIT ?",
                (writer, start, _PAGE),
            ).fetchall()
            for due, (sequence, encoded) in enumerate(page, start):
                yield outlined(writer, due, sequence, encoded), encoded
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


def outlined(writer: str, due: int, sequence: int, encoded: bytes) -> Outline:
    """Of an entry as it is stored. `due`: the sequence after that of the one before it. Raises
    IntegrityError `ledger.damaged`."""
    try:
        if sequence != due:
            raise ValueError("it is missing")
        return outline(encoded)
    except (ValueError, TypeError, AttributeError) as exc:
        raise unreadable(due, writer, exc) from exc


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
