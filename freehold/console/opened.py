"""The site that a console works with, opened again where it goes on in another log."""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from freehold.app.site.opening import Site
from freehold.domain.errors import Conflict

LOG_LEFT = "ledger.other-writer"
T = TypeVar("T")


class OpenedSite:
    """For many threads."""

    def __init__(self, open_site: Callable[[], Site]) -> None:
        """Raises what opening raises."""
        self._open, self._lock = open_site, Lock()
        self._left: list[Site] = []
        self.site = open_site()

    def use(self, act: Callable[[Site], T]) -> T:
        """What `act` raises. After Conflict `ledger.other-writer`, which an agent or a key's
        replacement may cause, the next use is of the log in which the site goes on; what was asked
        is not tried again, since a part of it may stand."""
        site = self.site
        try:
            return act(site)
        except Conflict as error:
            if error.code == LOG_LEFT:
                self._open_again(site)
            raise

    def close(self) -> None:
        """For whoever knows that nobody uses it any more."""
        for site in (*self._left, self.site):
            site.close()

    def _open_again(self, left: Site) -> None:
        with self._lock:
            if self.site is left:
                self.site = self._open()
                # Another thread may be in the middle of something with it.
                self._left.append(left)
