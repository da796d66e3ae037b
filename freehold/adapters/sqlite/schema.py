"""Tables of a ledger's file. The layout has a number; a file with another one is not opened."""

import sqlite3
from pathlib import Path

from freehold.domain.errors import IntegrityError
from freehold.domain.head import Head
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier

LAYOUT = "1"
_HASH = 32

_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS entries"
    " (sequence INTEGER PRIMARY KEY, encoded BLOB NOT NULL, leaf BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS checkpoints (size INTEGER PRIMARY KEY, encoded BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS frontier (only INTEGER PRIMARY KEY CHECK (only = 0),"
    " size INTEGER NOT NULL, roots BLOB NOT NULL, wall INTEGER NOT NULL,"
    " logical INTEGER NOT NULL, projections TEXT NOT NULL)",
    'CREATE TABLE IF NOT EXISTS state ("table" TEXT NOT NULL, key TEXT NOT NULL,'
    ' value BLOB NOT NULL, PRIMARY KEY ("table", key)) WITHOUT ROWID',
    "INSERT OR IGNORE INTO frontier VALUES (0, 0, x'', 0, 0, '{}')",
)


def prepare(connection: sqlite3.Connection, path: Path, writer: str) -> None:
    """Within a transaction. Raises IntegrityError if the file is of another layout or writer."""
    for statement in _TABLES:
        connection.execute(statement)
    for name, wanted in (("layout", LAYOUT), ("writer", writer)):
        connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, wanted))
        (found,) = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        if found != wanted:
            raise IntegrityError(
                f"{path} has the {name} {found!r}, not {wanted!r}",
                code=f"ledger.other-{name}",
                hint="open it with the site and the release of Freehold that made it",
            )


def read_head(connection: sqlite3.Connection, path: Path, writer: str) -> tuple[Head, str]:
    """The log's end, and the identity of the projections that the state was folded by."""
    row = connection.execute(
        "SELECT size, roots, wall, logical, projections FROM frontier"
    ).fetchone()
    try:
        size, roots, wall, logical, projections = row
        if len(roots) % _HASH:
            raise ValueError("the roots are cut short")
        parts = [roots[at : at + _HASH] for at in range(0, len(roots), _HASH)]
        return Head(writer, Frontier(size, parts), HybridTime(wall, logical)), projections
    except (TypeError, ValueError, AttributeError) as exc:
        raise IntegrityError(
            f"the end of the ledger {path} is damaged",
            why=str(exc),
            code="ledger.damaged",
            hint="run `freehold audit verify`, and restore the file from a copy",
        ) from exc


def write_head(connection: sqlite3.Connection, head: Head) -> None:
    connection.execute(
        "UPDATE frontier SET size = ?, roots = ?, wall = ?, logical = ?",
        (head.frontier.size, b"".join(head.frontier.roots), head.time.wall, head.time.logical),
    )
