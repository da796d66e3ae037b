"""What a large transaction wrote goes from SQLite's log into the main file while others go on.

It is there for everyone, and survives whatever comes, when it is in the log.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from freehold.adapters.sqlite.connection import LOG, connect, take_in_at


class TakingIn:
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """`connection`: the one that writes."""
        self._path, self._connection = path, connection
        self._thread: threading.Thread | None = None

    @contextmanager
    def beside(self) -> Iterator[None]:
        """What is committed within is taken in by a thread, not by the one that commits. Not to be
        entered twice at a time."""
        try:
            take_in_at(self._connection, 0)
            yield
        finally:
            take_in_at(self._connection, LOG)
            self.wait()
            thread = threading.Thread(target=self._take_in, name="ledger-taking-in")
            with suppress(RuntimeError):  # as many as there may be: the next commit does it
                thread.start()
                self._thread = thread

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _take_in(self) -> None:
        # Where it fails, as on a full disk, all can be read from the log, and the next commit that
        # finds so much in it tries again: SQLite tells nobody either.
        with suppress(sqlite3.Error), closing(connect(self._path, wait=0)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
