"""The table in force, and the thread that swaps it when `routing.json` was replaced."""

from collections.abc import Callable
from threading import Event, Lock, Thread

from freehold.domain.errors import FreeholdError, IntegrityError
from freehold.endpoint.loading import WITHDRAWN, Deferred, LoadedTable, Loader, stamp_of
from freehold.serving.request import invalid

INTERVAL = 0.2
"""Seconds between two looks at the file."""


class Watcher:
    """A table that does not verify is refused: the one before stays in force. Only the site's
    signed word takes it out of force."""

    def __init__(
        self,
        loader: Loader,
        on_loaded: Callable[[LoadedTable], None],
        on_refused: Callable[[FreeholdError], None],
        before: LoadedTable | None = None,
    ) -> None:
        """Loads the first table, or takes `before` if it is that. Raises FreeholdError if it does
        not verify."""
        self._loader, self._on_loaded, self._on_refused = loader, on_loaded, on_refused
        self._stop = Event()
        self._turn = Lock()
        self._seen = stamp_of(loader.folder)
        self.refused: FreeholdError | None = None
        """Why the newest table is not in force; None if it is."""
        self.withdrawn: FreeholdError | None = None
        """Why nothing is to be answered; None while `table` is in force."""
        self.table = self._first(before)
        """Replaced whole: whoever reads it once has a consistent one."""
        on_loaded(self.table)
        self._thread = Thread(target=self._run, name="routing watcher", daemon=True)
        self._thread.start()

    def look(self) -> bool:
        """Whether the file had changed; then it has been loaded or refused, or says the same. One
        that is left to others is looked at again."""
        with self._turn:
            seen, self._seen = self._seen, stamp_of(self._loader.folder)
            if self._seen == seen:
                return False
            try:
                loaded = _loaded(self._loader, self.table)
            except Deferred:
                self._seen = seen
                return False
            except FreeholdError as exc:
                self.refused = exc
                if exc.code == WITHDRAWN:
                    self.withdrawn = exc
                self._on_refused(exc)
                return True
            is_new = loaded is not self.table
            self.table, self.refused, self.withdrawn = loaded, None, None
            if is_new:
                self._on_loaded(loaded)
            return True

    def answering(self, model: str, named: str | None = None) -> tuple[LoadedTable, int | None]:
        """The table that answers for a model, and the place in it of the version that is named, if
        one is.

        Raises RequestInvalid `request.not-found`; why nothing is to be answered.
        """
        loaded = self.table
        if self.withdrawn is not None:
            raise self.withdrawn
        if model != loaded.table.model:
            raise invalid("request.not-found", f"no model is named {model!r:.60}")
        if not named:
            return loaded, None
        # Far more digits than a version has would make int() itself refuse.
        number = int(named) if named.isascii() and named.isdigit() and len(named) < 19 else -1
        place = loaded.place(number)
        if place is None:
            raise invalid("request.not-found", f"{model} has no version {named!r:.40} here")
        return loaded, place

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            try:
                self.look()
            except Exception as exc:  # noqa: BLE001 (the thread must outlive any fault)
                self.refused = IntegrityError(
                    "looking at the routing table failed",
                    why=f"{exc!r:.200}",
                    code="endpoint.watch-failed",
                )

    def _first(self, before: LoadedTable | None) -> LoadedTable:
        try:
            return _loaded(self._loader, before)
        except Deferred:
            if before is None:
                raise
            self._seen = None
            return before


def _loaded(loader: Loader, before: LoadedTable | None) -> LoadedTable:
    """Raises FreeholdError, whatever it was that went wrong."""
    try:
        return loader.load(before)
    except (FreeholdError, Deferred):
        raise
    except Exception as exc:
        why = f"{exc!r:.200}"
        raise IntegrityError("loading failed", why=why, code="endpoint.load-failed") from exc
