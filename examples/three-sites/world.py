"""The three sites: a checkout of one project at each, two stores, and what joins them.

Where the machine lets us, each site and each store has a network namespace of its own; else each
site is a process like any other, and the stores listen on loopback.
"""

import shutil
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers.namespaces import Network, obstacle
from stores import LOOPBACK, Stores, serving

from freehold.app.project.init import init
from freehold.app.site.opening import open_site
from freehold.domain.errors import Refused

SITES = ("onprem", "aws", "azure")
STORE_OF = {"aws": "aws-store", "azure": "azure-store"}
"""Each in a place of its own, so that a site that is cut reaches not even its own store."""
PORT = 9443
TEMPLATE = "flights"


@dataclass(frozen=True)
class World:
    folder: Path
    stores: Stores
    network: Network | None
    """None: this machine gives no namespaces."""
    obstacle: str
    """Why not."""

    def checkout(self, site: str) -> Path:
        return self.folder / site

    def environment(self, site: str) -> Mapping[str, str]:
        """What a process at this site needs beside what every process has."""
        return {**self.stores.environment, "FREEHOLD_SITE": site}

    def command(self, site: str, argv: Sequence[str]) -> list[str]:
        """The same, in the site's own network."""
        return list(argv) if self.network is None else self.network.command(site, argv)

    def entrance(self, site: str) -> Path:
        """A command that runs what follows it at this site: `at-aws freehold sync`."""
        return self.folder / f"at-{site}"


@contextmanager
def standing(folder: Path, s3: str) -> Iterator[World]:
    """The stores, the network and three checkouts that believe each other's keys, while the
    context lasts; the checkouts stay.

    `folder`: absolute. `s3`: kind of the S3 server. Raises ServerFailed, NetworkFailed, and Refused
    if there is anything in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refused(
            f"'{folder}' is there already",
            why="another run's sites may stand in it, and each run has stores of its own",
            hint="choose another folder with --into, or remove it",
            code="project.exists",
        )
    why = obstacle()
    with ExitStack() as running:
        running.callback(_withdraw, folder)
        network = None if why else running.enter_context(Network([*SITES, *STORE_OF.values()]))
        certificates = folder / "certificates"
        certificates.mkdir(mode=0o700, parents=True)
        s3_at, azure_at = (_listener(network, name) for name in STORE_OF.values())
        stores = running.enter_context(serving(s3, (s3_at, azure_at), certificates))
        world = World(folder, stores, network, why)
        _check_out(world)
        for site in SITES:
            _write_entrance(world, site)
        yield world


def _listener(network: Network | None, name: str) -> socket.socket:
    return network.listen(name, PORT) if network else socket.create_server((LOOPBACK, 0))


def _check_out(world: World) -> None:
    """One project file, the same bytes at each site: where the sites are, and their keys."""
    source = world.folder / TEMPLATE
    init(source, TEMPLATE)
    # Who wants a tracker has it at each site; its first start takes longer than all else here.
    text = (source / "freehold.yaml").read_text().partition("\ntracking:")[0]
    (source / "freehold.yaml").write_text(text + _sites(world, {}))
    keys = {}
    for site in SITES:
        shutil.copytree(source, world.checkout(site))
        with open_site(world.checkout(site), site=site) as opened:
            keys[site] = opened.signer.public.fingerprint
    for folder in (source, *map(world.checkout, SITES)):
        (folder / "freehold.yaml").write_text(text + _sites(world, keys))


def _sites(world: World, keys: Mapping[str, str]) -> str:
    stores, local = world.stores, world.folder / "onprem-store"
    pinned = {site: f"    keys: [{keys[site]}]\n" if site in keys else "" for site in SITES}
    return f"""
sites:
  onprem:
    store: {{at: "file://{local}"}}
    private: true
    jurisdiction: EU
    keeps: [aliases, spending]
{pinned["onprem"]}  aws:
    store: {{at: "{stores.s3}", endpoint: "{stores.s3_endpoint}", region: us-east-1}}
    jurisdiction: US
{pinned["aws"]}  azure:
    store: {{at: "{stores.azure}", endpoint: "{stores.azure_endpoint}"}}
    jurisdiction: EU
{pinned["azure"]}"""


def _write_entrance(world: World, site: str) -> None:
    given = {**world.environment(site), "PATH": f"{Path(sys.executable).parent}:$PATH"}
    exports = "".join(f'export {name}="{value}"\n' for name, value in given.items())
    into = " ".join(world.command(site, []))
    path = world.entrance(site)
    path.touch(mode=0o700)
    path.write_text(
        f"#!/bin/sh\n# Runs a command at {site}. Holds the keys to the stores of this run.\n"
        f'{exports}cd "{world.checkout(site)}" || exit\nexec {into} "$@"\n'
    )


def _withdraw(folder: Path) -> None:
    """What opened the stores opens nothing any more."""
    for site in SITES:
        (folder / f"at-{site}").unlink(missing_ok=True)
    shutil.rmtree(folder / "certificates", ignore_errors=True)
