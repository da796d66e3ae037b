"""Connections to one SQLite file, and what its errors mean."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freehold.domain.errors import FreeholdError, IntegrityError, StorageFailed

_PRIMARY_CODE = 0xFF
_ATTEMPTS_AT_WAL = 50
_PAGE, LOG = 16 * 1024, 16 * 1024 * 1024
"""Bytes: of a page of a new file, older ones keep theirs; of the log at which it is taken into the
main file."""


def connect(path: Path, *, wait: float, reading: bool = False) -> sqlite3.Connection:
    """A durable connection that waits up to `wait` seconds for another writer."""
    connection = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
    try:
        # Rows are some hundred bytes, and come sorted: with pages of 4 KiB a merge takes a tenth
        # longer.
        connection.execute(f"PRAGMA page_size = {_PAGE}")
        _enter_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        take_in_at(connection, LOG)
        if reading:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def take_in_at(connection: sqlite3.Connection, log: int) -> None:
    """At how many bytes of its log the main file gets what is in it, by whoever commits then; never
    at 0. Syncing the main file is the dear part of that."""
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA wal_autocheckpoint = {log // page}")


def _enter_wal(connection: sqlite3.Connection) -> None:
    """SQLite answers at once, without waiting, when two processes change the mode of a new file."""
    for attempt in range(_ATTEMPTS_AT_WAL):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as exc:
            if _primary(exc) != sqlite3.SQLITE_BUSY or attempt == _ATTEMPTS_AT_WAL - 1:
                raise
            threading.Event().wait(0.02)


def _primary(exc: sqlite3.Error) -> int:
    return getattr(exc, "sqlite_errorcode", 0) & _PRIMARY_CODE


def translated(exc: sqlite3.Error, path: Path) -> FreeholdError:
    code, why = _primary(exc), str(exc)
    if code == sqlite3.SQLITE_FULL:
        return StorageFailed(
            f"the disk is full: {path} was not changed",
            why=why,
            code="storage.full",
            hint="make room on the disk and repeat the command",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageFailed(
            f"{path} is in use: another process has been writing for too long",
            why=why,
            code="storage.busy",
            hint="wait for the other command to end, or stop it, and repeat this one",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, why)
    return StorageFailed(
        f"{path} could not be read or written",
        why=why,
        hint="make sure that its disk has room and works, and repeat the command",
    )


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path} is damaged",
        why=why,
        code="ledger.damaged",
        hint="restore the file from a copy, then run `freehold audit verify`",
    )


@contextmanager
def boundary(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as exc:
        raise translated(exc, path) from exc
    except UnicodeDecodeError as exc:
        # SQLite quotes a damaged schema in its message, which then is no text.
        raise _damaged(path, str(exc)) from exc


class Readers:
    """Connections that are lent out, so that reading never waits for a writer."""

    def __init__(self, path: Path, *, wait: float) -> None:
        self._path, self._wait = path, wait
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        with boundary(self._path):
            try:
                connection = self._idle.pop()
            except IndexError:
                if self._closed:
                    raise sqlite3.ProgrammingError("the ledger is closed") from None
                connection = connect(self._path, wait=self._wait, reading=True)
            try:
                yield connection
            finally:
                self._idle.append(connection)
                if self._closed:
                    self.close()

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()
