"""Places on one machine: each site's processes reach the network through a proxy of their own.

What honours the proxies' environment variables is cut; the drill proves that all stores do.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from freehold.app.drill.offline.places import Places, spawn
from freehold.app.drill.offline.proxy import Proxy

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
EXCEPTIONS = "NO_PROXY"


def behind(proxy: Proxy) -> dict[str, str]:
    """What a process is told that is to reach the network by this proxy alone."""
    proxies = {form: proxy.url for name in PROXIES for form in (name, name.lower())}
    return {**proxies, EXCEPTIONS: "", EXCEPTIONS.lower(): ""}


class ProxyPlaces(Places):
    def __init__(self, marks: Mapping[str, str]) -> None:
        """`marks`: by site, what stands in every URL of its store and of no other."""
        self._marks = dict(marks)
        self._hosts: dict[str, set[str]] = {site: set() for site in marks}
        self._cut: set[str] = set()
        self._proxies = {site: Proxy(self._barring(site)) for site in marks}

    @contextmanager
    def learning(self, site: str) -> Iterator[None]:
        """While only the site's own store is asked, by the site: what is within a tunnel cannot be
        seen, so that a cut bars the hosts which tunnels led to."""
        self._proxies[site].tunnels()
        yield
        self._hosts[site] |= self._proxies[site].tunnels()

    def start(
        self, site: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        return spawn(command, {**environment, **behind(self._proxies[site])})

    def cut(self, site: str) -> None:
        self._cut.add(site)
        self._proxies[site].cut()

    def heal(self, site: str) -> None:
        self._cut.discard(site)
        self._proxies[site].listen()

    def close(self) -> None:
        for proxy in self._proxies.values():
            proxy.cut()

    def _barring(self, site: str) -> "Barring":
        return Barring(site, self._marks, self._hosts, self._cut)


class Barring:
    """What a site's proxy does not carry: whatever goes to the store of a site that is cut."""

    def __init__(
        self,
        site: str,
        marks: Mapping[str, str],
        hosts: Mapping[str, set[str]],
        cut: set[str],
    ) -> None:
        self._site, self._marks, self._hosts, self._cut = site, marks, hosts, cut

    def __call__(self, host: str, url: str) -> bool:
        return any(
            self._marks[other] in url or host in self._hosts[other]
            for other in list(self._cut)
            if other != self._site
        )
