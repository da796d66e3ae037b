"""The drill's places: with a real link that goes down, each site's processes in its namespace; or,
where the machine gives none, with proxies that end, before the agents of production, too."""

import subprocess
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from world import SITES, STORE_OF, World

from freehold.app.drill.offline.places import Places, spawn
from freehold.app.drill.offline.proxy import Proxy
from freehold.app.drill.offline.proxy_places import ProxyPlaces, behind


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


class ProxiedPlaces(ProxyPlaces):
    """The product's, and a proxy before each agent that is cut when its site is.

    Agents live longer than a drill: after `close` they reach everything, until `end`.
    """

    def __init__(self, world: World) -> None:
        # Over TLS no mark is seen in any URL: hosts are learned.
        super().__init__({site: f"three-sites:{site}" for site in SITES})
        stores = {"aws": world.stores.s3_endpoint, "azure": world.stores.azure_endpoint}
        self._hosts_of_stores = {site: urlsplit(url).netloc for site, url in stores.items()}
        self._cut_off: set[str] = set()
        self._before_agents = {site: Proxy(self._barred) for site in SITES}

    def agent_environment(self, site: str) -> dict[str, str]:
        return behind(self._before_agents[site])

    def cut(self, site: str) -> None:
        super().cut(site)
        self._cut_off.add(site)
        self._before_agents[site].cut()
        if site in STORE_OF:
            # What is open at others may lead to the store that is cut; what does not is made anew.
            for one in set(SITES) - {site}:
                self._before_agents[one].cut()
                self._before_agents[one].listen()

    def heal(self, site: str) -> None:
        super().heal(site)
        self._cut_off.discard(site)
        self._before_agents[site].listen()

    def close(self) -> None:
        for site in sorted(self._cut_off):
            self.heal(site)
        super().close()

    def end(self) -> None:
        super().close()
        for proxy in self._before_agents.values():
            proxy.cut()

    def _barred(self, host: str, _: str) -> bool:
        return host in {self._hosts_of_stores.get(site) for site in list(self._cut_off)}
