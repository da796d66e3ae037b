"""A project of three sites whose stores are folders."""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from freehold.app.site.exchange import Exchanged, exchange
from freehold.app.site.opening import Site, open_site
from freehold.app.site.trusting import trust

NAMES = ("onprem", "aws", "azure")
FILE = """\
project: meeting
pipelines: {{}}
site: onprem
sites:
  onprem:
    store: {{at: "file://{stores}/onprem"}}
    private: true
    jurisdiction: EU
  aws:
    store: {{at: "file://{stores}/aws"}}
  azure:
    store: {{at: "file://{stores}/azure"}}
    accepts: [team]
"""


class World:
    """The project, and what its sites do."""

    def __init__(self, root: Path) -> None:
        self.root, self.stores = root / "project", root / "stores"
        self.root.mkdir()
        (self.root / "freehold.yaml").write_text(FILE.format(stores=self.stores))
        self._clock = count(1_700_000_000_000_000, 1000)

    def site(self, name: str) -> Site:
        return open_site(self.root, self._clock.__next__, name)

    def do(self, name: str, act: Callable[[Site], Any]) -> Any:
        with self.site(name) as site:
            return act(site)

    def sync(self, name: str, **options: Any) -> Exchanged:
        done = self.do(name, lambda site: exchange(site, **options))
        assert isinstance(done, Exchanged)
        return done

    def meet(self) -> None:
        """Until nobody has anything new."""
        for _ in range(4):
            for name in NAMES:
                self.sync(name)

    def trust_everyone(self) -> None:
        keys = {name: self.do(name, lambda s: s.signer.public.fingerprint) for name in NAMES}
        for name in NAMES:
            for other in NAMES:
                if other != name:
                    self.do(name, lambda s, other=other: trust(s, other, keys[other]))

    def state(self, name: str) -> Path:
        return self.root / ".freehold" / "sites" / name

    def backup(self, name: str, to: Path) -> None:
        shutil.copytree(self.state(name), to)

    def restore(self, name: str, backup: Path) -> None:
        shutil.rmtree(self.state(name))
        shutil.copytree(backup, self.state(name))


@pytest.fixture
def strangers(tmp_path: Path) -> World:
    """Three sites that do not know each other."""
    return World(tmp_path)


@pytest.fixture
def world(strangers: World) -> World:
    """Three sites that believe each other, and have met."""
    strangers.trust_everyone()
    strangers.meet()
    return strangers
