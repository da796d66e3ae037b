"""The table in force, and the thread that swaps it when `routing.json` was replaced."""

from collections.abc import Callable
from threading import Event, Lock, Thread

from freehold.domain.errors import FreeholdError, IntegrityError
from freehold.endpoint.loading import ROUTING, LoadedTable, Loader

INTERVAL = 0.2
"""Seconds between two looks at the file."""

Stamp = tuple[int, int, int] | None


class Watcher:
    """A table that does not verify is refused: the one before stays in force."""

    def __init__(
        self,
        loader: Loader,
        on_loaded: Callable[[LoadedTable], None],
        on_refused: Callable[[FreeholdError], None],
    ) -> None:
        """Loads the first table. Raises FreeholdError if it does not verify."""
        self._loader, self._on_loaded, self._on_refused = loader, on_loaded, on_refused
        self._stop = Event()
        self._turn = Lock()
        self._seen = self._stamp()
        self.refused: FreeholdError | None = None
        """Why the newest table is not in force; None if it is."""
        self.table = loader.load(None)
        """Replaced whole: whoever reads it once has a consistent one."""
        on_loaded(self.table)
        self._thread = Thread(target=self._run, name="routing watcher", daemon=True)
        self._thread.start()

    def look(self) -> bool:
        """Whether the file had changed; then it has been loaded or refused."""
        with self._turn:
            stamp = self._stamp()
            if stamp == self._seen:
                return False
            self._seen = stamp
            try:
                loaded = self._loader.load(self.table)
            except FreeholdError as exc:
                self._refuse(exc)
            except Exception as exc:  # noqa: BLE001 (the thread must outlive any fault)
                why = f"{exc!r:.200}"
                self._refuse(IntegrityError("loading failed", why=why, code="endpoint.load-failed"))
            else:
                self.table, self.refused = loaded, None
                self._on_loaded(loaded)
            return True

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _refuse(self, error: FreeholdError) -> None:
        self.refused = error
        self._on_refused(error)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            self.look()

    def _stamp(self) -> Stamp:
        try:
            found = (self._loader.folder / ROUTING).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
