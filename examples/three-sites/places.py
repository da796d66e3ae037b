"""The drill's places, with a real link that goes down: each site's processes in its namespace."""

import subprocess
from collections.abc import Mapping, Sequence

from world import STORE_OF, World

from freehold.app.drill.offline.places import Places, spawn


class NamespacePlaces(Places):
    """Of a world that has a network; it is closed with the world."""

    def __init__(self, world: World) -> None:
        assert world.network is not None, "without one, the product's own places are used"
        self._world, self._network = world, world.network
        self._cut: set[str] = set()

    def start(
        self, site: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        given = {**self._world.environment(site), **environment}
        return spawn(self._world.command(site, command), given)

    def cut(self, site: str) -> None:
        """The site's own link and that of its store, which is a place of its own."""
        for name in self._links(site):
            self._network.cut(name)
        self._cut.add(site)

    def heal(self, site: str) -> None:
        for name in self._links(site):
            self._network.heal(name)
        self._cut.discard(site)

    def close(self) -> None:
        for site in sorted(self._cut):
            self.heal(site)

    def _links(self, site: str) -> list[str]:
        return [site, *(STORE_OF[one] for one in (site,) if one in STORE_OF)]
