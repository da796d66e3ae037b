"""All that an offline drill sets up and takes away: twins, stores, processes, a clock."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from freehold.app.drill.corner import empty_corner
from freehold.app.drill.offline.asked import Asked
from freehold.app.drill.offline.clock import DrillClock
from freehold.app.drill.offline.crew import Crew, Member
from freehold.app.drill.offline.doors import Doors
from freehold.app.drill.offline.orders import Orders, drill_location, mark_of
from freehold.app.drill.offline.places import Places
from freehold.app.drill.offline.proxy_places import ProxyPlaces
from freehold.app.drill.offline.twins import Twin, make_twins
from freehold.app.drill.place import DrillPlace
from freehold.app.project.reading import SITE_VARIABLE
from freehold.app.site.opening import CLOCK_VARIABLE
from freehold.app.site.stores import open_store
from freehold.domain.errors import FreeholdError
from freehold.ports.object_store import ObjectStore

Tell = Callable[[str], None]
HANDS = (sys.executable, "-m", "freehold.cli.main", "drill", "at-site")
"""Starts a twin's process when the path of its orders is put behind it."""


class Stage:
    def __init__(
        self, asked: Asked, drill: str, folder: Path, places: Places | None, tell: Tell
    ) -> None:
        """Makes nothing yet but places, where none are given."""
        self._asked, self._folder, self._tell = asked, folder, tell
        sites = asked.project.spec.sites
        self.sites = tuple(sites)
        self._stores = {s: drill_location(one.store, drill, s) for s, one in sites.items()}
        self.places = places or ProxyPlaces({s: mark_of(drill, s) for s in sites})
        self._place: DrillPlace | None = None
        self._doors: Doors | None = None
        self.crew = Crew([])
        self.twins: dict[str, Twin] = {}
        self.removed = 0
        """Objects of the drill that were in stores."""

    @property
    def writers(self) -> set[str]:
        return {twin.writer for twin in self.twins.values()}

    def cut(self) -> None:
        assert self._doors is not None
        self.places.cut(self._asked.cut)
        self._doors.shut(self._asked.cut)

    def heal(self) -> None:
        self.places.heal(self._asked.cut)
        if self._doors is not None:
            self._doors.reopen(self._asked.cut)

    def clear(self, keep: bool) -> list[str]:
        """Ends and removes all that the drill made; what could not be, in words."""
        left: list[str] = []
        try:
            self.heal()
            for site in self.crew.sites:
                left += self._clean(site)
        finally:
            self.crew.end()
            self.places.close()
            if self._doors is not None:
                left += self._doors.clear()
        if self._place is not None:
            left += self._place.leave(keep)
        return left

    def _clean(self, site: str) -> list[str]:
        """By its own process, which reaches it; by this one where that has died."""
        try:
            if self.crew[site].alive:
                said = self.crew[site].ask("clean")
                removed, left = said["removed"], said["left"]
            else:
                removed, left = empty_corner(self._corner(site))
        except FreeholdError as error:
            return [f"objects below {self._stores[site]}: {error.what}"]
        self.removed += removed
        return [f"{left} objects below {self._stores[site]}"] if left else []

    def _corner(self, site: str) -> ObjectStore:
        spec = self._asked.project.spec.sites[site].store
        return open_store(replace(spec, at=self._stores[site]), site, os.environ)

    def set_up(self) -> None:
        self._place = DrillPlace.claim(self._folder, self._stores)
        self.twins = make_twins(self._asked.project, self._folder / "twins")
        for twin in self.twins.values():
            self._tell(f"twin of {twin.site}: {twin.writer}, knows {twin.learned:,} entries")
        self._doors = Doors(self._folder / "doors", self._stores)
        self.clock = DrillClock(self._folder / "clock")
        self.crew = Crew([self._start(site, self._doors) for site in self.sites])

    def _start(self, site: str, doors: Doors) -> Member:
        orders = self._folder / f"{site}.json"
        keys = {name: twin.key for name, twin in self.twins.items()}
        root = str(self.twins[site].root)
        Orders(root, site, self._asked.model, doors.seen_by(site), keys).write(orders)
        environment = {SITE_VARIABLE: site, CLOCK_VARIABLE: str(self.clock.path)}
        return Member(site, self.places.start(site, [*HANDS, str(orders)], environment))
