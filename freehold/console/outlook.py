"""The last look at the other sites, for the page: stores that do not answer must not hold it up."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from freehold.app.site.health.overview import look_at_sites
from freehold.app.site.opening import Site
from freehold.console.opened import OpenedSite
from freehold.domain.errors import FreeholdError

FRESH = 60_000_000
"""Microseconds for which a look counts."""


class Outlook:
    def __init__(self, opened: OpenedSite) -> None:
        self._opened = opened
        self._looking = Lock()
        self._seen: dict[str, Any] | None = None
        self._at = 0

    @property
    def seen(self) -> dict[str, Any] | None:
        """As `freehold sites --json` has it, with `at` in microseconds since 1970 UTC; None before
        the first look has ended."""
        return None if self._seen is None else {**self._seen, "at": self._at}

    def is_due(self) -> bool:
        return self._seen is None or self._opened.site.clock() - self._at > FRESH

    def look(self) -> None:
        """Asks the stores, unless another thread does so already."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            if self.is_due():
                self._note(look_at_sites)
        finally:
            self._looking.release()

    def _note(self, ask: Callable[[Site], Any]) -> None:
        try:
            self._seen = self._opened.use(lambda site: ask(site).as_json())
        except FreeholdError as error:
            self._seen = {"sites": [], "logs": [], "conflicts": 0, "failure": str(error)}
        self._at = self._opened.site.clock()
