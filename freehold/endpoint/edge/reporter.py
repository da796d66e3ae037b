"""Tells what waits to a store, now and then, in a thread of its own; answering knows nothing of it.

Pauses grow while the store is away, and are drawn at random below a limit, so that many boxes that
lost a store at the same moment do not come back at the same moment.
"""

import os
import random
from collections.abc import Callable, Mapping
from threading import Event, Thread

from freehold.domain.bundle import BundleManifest
from freehold.domain.embedded import STORES
from freehold.domain.errors import FreeholdError, PolicyDenied, WrongUsage
from freehold.endpoint.adapters import object_store
from freehold.endpoint.edge.outbox import Outbox
from freehold.ports.object_store import STORE_SECRETS, ObjectStore, StoreSettings

EVERY = 60.0
"""Seconds between two reports that the store took."""
SHORTEST, LONGEST = 1.0, 600.0
"""Seconds below which the pause after the first failure is drawn, and after many."""
SECRETS = "FREEHOLD_REPORTS_"
"""Before the names of secrets in the environment: FREEHOLD_REPORTS_ACCESS_KEY_ID."""


class Reporter:
    """Without a store it only keeps the outbox within its bounds."""

    def __init__(
        self,
        outbox: Outbox,
        store: Callable[[], ObjectStore] | None,
        tell: Callable[[str], None],
        every: float = EVERY,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`store` is asked for whenever there is none yet. `tell` gets a line when the store stops
        taking reports, and when it takes them again."""
        self._outbox, self._opens, self._tell = outbox, store, tell
        self._every, self._chance = every, chance
        self._store: ObjectStore | None = None
        self._failures, self._told = 0, ""
        self._stop = Event()
        self._thread = Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A report under way is not waited for: what was not acknowledged is sent again."""
        self._stop.set()

    def turn(self) -> float:
        """One report, whatever comes of it; seconds until the next one."""
        try:
            self._outbox.bound()
            if self._opens is None:
                return self._every
            if self._store is None:
                self._store = self._opens()
            self._outbox.send(self._store)
        except Exception as exc:  # noqa: BLE001 (no thread may end for want of a store)
            self._failures += 1
            self._say(_spoken(exc))
            longest = min(SHORTEST * 2.0 ** min(self._failures - 1, 30), LONGEST)
            return self._chance() * float(longest)
        self._failures = 0
        self._say("")
        return self._every

    def _say(self, fault: str) -> None:
        if fault and not self._told:
            self._tell(f"reports wait: {fault}")
        elif self._told and not fault:
            self._tell("reports are taken again")
        self._told = fault

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self.turn()


def open_reports(
    manifest: BundleManifest, location: str, environment: Mapping[str, str] = os.environ
) -> ObjectStore:
    """The store that is named, or the one that the bundle names. Talks to nobody yet.

    Raises WrongUsage `bundle.no-store`, `bundle.no-client`; PolicyDenied `label.barred` for another
    store than the bundle's where what is told bears labels; AdapterMissing.
    """
    own = manifest.reports
    at = location or own.get("at", "")
    if not at:
        raise WrongUsage(
            "nobody said where reports go",
            why="the bundle was made without a store for reports",
            hint="name one: `run report --to URL`",
            code="bundle.no-store",
        )
    if manifest.labels and at != own.get("at"):
        raise PolicyDenied(
            f"reports may not go to {at}",
            why=f"what is told bears labels: {', '.join(sorted(manifest.labels))}",
            hint="have the bundle made with that store: there its rules are known",
            code="label.barred",
        )
    scheme = at.partition(":")[0]
    is_own = at == own.get("at")
    settings = StoreSettings(
        at,
        own.get("endpoint", "") if is_own else environment.get(SECRETS + "ENDPOINT", ""),
        own.get("region", "") if is_own else environment.get(SECRETS + "REGION", ""),
        secrets={
            name: environment[SECRETS + name.upper()]
            for name in STORE_SECRETS
            if SECRETS + name.upper() in environment
        },
    )
    opened: ObjectStore = object_store(STORES.get(scheme, scheme)).open(settings)
    return opened


def _spoken(exc: Exception) -> str:
    if isinstance(exc, FreeholdError):
        return f"[{exc.code}] {exc.what}" + (f" ({exc.why})" if exc.why else "")
    return f"{exc!r:.200}"
