"""Keeps a lease alive while its work blocks everything else."""

import traceback
from collections.abc import Callable
from threading import Event, Thread

from freehold.app.site.opening import Site
from freehold.app.work.claim import Claimed
from freehold.domain.errors import FreeholdError
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.replication import leases

Tell = Callable[[str], None]
PARTS = 3
"""A lease is renewed so many times in the seconds that it lasts."""


class Renewal:
    """A context: within it, a thread renews the lease and shows it to the others.

    A renewal that fails is told and tried again: the work goes on, and if others take it over
    meanwhile, one completion is accepted.
    """

    def __init__(
        self, site: Site, claimed: Claimed, meet: Callable[[], None], tell: Tell = lambda _: None
    ) -> None:
        """`meet` exchanges with the stores."""
        self._site, self._claimed, self._meet, self._tell = site, claimed, meet, tell
        self._ended = Event()
        self._thread = Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> "Renewal":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        # What was taken this moment needs no renewal; one from before an interruption does.
        due = 0.0 if self._claimed.continued else self._claimed.lease.seconds / PARTS
        while not self._ended.wait(due):
            due = self._claimed.lease.seconds / PARTS
            try:
                if not renew(self._site, self._claimed):
                    self._tell(f"the lease of work {self._claimed.work.name} is another's by now")
                    return
                self._meet()
            except FreeholdError as error:
                self._tell(str(error))
            except Exception:  # noqa: BLE001 - a bug of ours must not end the renewals that follow
                self._tell(traceback.format_exc())


def renew(site: Site, claimed: Claimed) -> bool:
    """False when the lease no longer stands, or the work is over."""

    def decision(state: State) -> tuple[Draft, ...]:
        return leases.renew(state, claimed.work.name, claimed.lease, site.actor)

    return bool(site.ledger.decide(decision))
