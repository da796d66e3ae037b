"""Tables of a ledger's file. The layout has a number; a file with another one is not opened."""

import sqlite3
from pathlib import Path

from freehold.domain.errors import IntegrityError
from freehold.domain.head import Head
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier

LAYOUT = "3"
_READABLE = {"1", "2", "3"}
"""Layout 1 had no tables for other writers' logs; they are added when it is opened. In layout 2
their entries lay in the tree of their key, which was twice as large; they are moved."""
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
    "CREATE TABLE IF NOT EXISTS logs (writer TEXT PRIMARY KEY, size INTEGER NOT NULL,"
    " roots BLOB NOT NULL, wall INTEGER NOT NULL, logical INTEGER NOT NULL,"
    " folded INTEGER NOT NULL, announced INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS foreign_entries (writer TEXT NOT NULL, sequence INTEGER NOT NULL,"
    " encoded BLOB NOT NULL, leaf BLOB NOT NULL, PRIMARY KEY (writer, sequence))",
    "CREATE TABLE IF NOT EXISTS foreign_checkpoints (writer TEXT NOT NULL, size INTEGER NOT NULL,"
    " encoded BLOB NOT NULL, PRIMARY KEY (writer, size)) WITHOUT ROWID",
    # Places of all facts in their common order; empty as long as there is no other log.
    "CREATE TABLE IF NOT EXISTS ordered (wall INTEGER NOT NULL, logical INTEGER NOT NULL,"
    " writer TEXT NOT NULL, sequence INTEGER NOT NULL,"
    " PRIMARY KEY (wall, logical, writer, sequence)) WITHOUT ROWID",
    "CREATE UNIQUE INDEX IF NOT EXISTS ordered_by_log ON ordered (writer, sequence)",
    "CREATE TABLE IF NOT EXISTS undo (number INTEGER PRIMARY KEY, wall INTEGER NOT NULL,"
    " logical INTEGER NOT NULL, writer TEXT NOT NULL, sequence INTEGER NOT NULL,"
    ' "table" TEXT NOT NULL, key TEXT NOT NULL, value BLOB)',
    "CREATE INDEX IF NOT EXISTS undo_by_place ON undo (wall, logical, writer, sequence)",
    "INSERT OR IGNORE INTO frontier VALUES (0, 0, x'', 0, 0, '{}')",
)


def prepare(connection: sqlite3.Connection, path: Path, writer: str) -> str:
    """Within a transaction. Returns the own log's writer: the one that is asked for, or the one
    under which it went on, `writer.2` and so forth.

    Raises IntegrityError if the file is of another layout or writer.
    """
    for statement in _TABLES:
        connection.execute(statement)
    for name, wanted in (("layout", LAYOUT), ("writer", writer)):
        connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, wanted))
    layout, found = meta(connection, "layout"), meta(connection, "writer")
    if layout not in _READABLE:
        raise _other(path, "layout", layout, LAYOUT)
    if found.partition(".")[0] != writer.partition(".")[0]:
        raise _other(path, "writer", found, writer)
    if layout == "2":
        _move_foreign_entries(connection)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'layout'", (LAYOUT,))
    return found


def _move_foreign_entries(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE foreign_entries RENAME TO moved_entries")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute(
        "INSERT INTO foreign_entries SELECT writer, sequence, encoded, leaf FROM moved_entries"
        " ORDER BY writer, sequence"
    )
    connection.execute("DROP TABLE moved_entries")


def meta(connection: sqlite3.Connection, name: str) -> str:
    (found,) = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return str(found)


def _other(path: Path, name: str, found: str, wanted: str) -> IntegrityError:
    return IntegrityError(
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
