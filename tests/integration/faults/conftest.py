"""Three sites, each a checkout of its own, and what must be true of them after any fault.

A site reaches the stores by links in its own folder `mnt/`, so that it can be cut off from each by
itself, as a disk that is not mounted is. What a test has written and the ledger has taken is
remembered, and `check` asks for it at every site.
"""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from freehold.app.site.exchange import Exchanged, exchange
from freehold.app.site.opening import Site, open_site
from freehold.domain.fact import Draft
from freehold.governance.history import verify
from freehold.ports.ledger import HeldLog, KeepsLogs, Ledger, Rebuilds
from freehold.ports.object_store import StoreSettings

START = 1_800_000_000_000_000
SECOND = 1_000_000
SITES = ("onprem", "aws", "azure")
ROUNDS = 12
"""Meetings of all with all after which nothing may move any more."""


def note(name: str, alias: str = "champion", cause: tuple[str, ...] = ()) -> Draft:
    """A fact that carries a name of its own; what it is about, sites may quarrel over."""
    version = int.from_bytes(name.encode()[-2:]) % 5 + 1
    body = {"id": name, "model": "flights", "alias": alias, "version": version}
    return Draft("alias.moved", {**body, "previous": None, "release": ""}, cause=cause)


@dataclass
class Clock:
    """A wall clock that somebody can set wrong; each look takes a millisecond."""

    now: int = START

    def __call__(self) -> int:
        self.now += 1000
        return self.now


@dataclass
class World:
    folder: Path
    stores: dict[str, str]
    """Where each site's store is, in the words of freehold.yaml."""
    clocks: dict[str, Clock] = field(default_factory=lambda: {site: Clock() for site in SITES})
    acknowledged: set[str] = field(default_factory=set)
    keys: dict[str, set[str]] = field(default_factory=dict)
    """Fingerprints that the project files list."""
    private: frozenset[str] = frozenset()
    """Sites whose store nobody else reaches."""
    patience: float = 20.0
    """Seconds after which a store that does not answer is given up; nobody wants to wait for the
    usual half a minute where it never will."""

    note = staticmethod(note)
    exchange = staticmethod(exchange)

    def checkout(self, site: str) -> Path:
        return self.folder / site

    def state(self, site: str) -> Path:
        return self.checkout(site) / ".freehold" / "sites" / site

    def begin(self) -> None:
        """Each site makes its key, and each project file lists all of them, and those before."""
        for _ in range(2):
            for site in SITES:
                self.declare(site)
                with self.opened(site) as opened:
                    self.keys.setdefault(site, set()).add(opened.signer.public.fingerprint)

    def declare(self, site: str) -> None:
        lines = ["project: faults", "pipelines: {}", "sites:"]
        for name in SITES:
            store = self.stores[name].replace("{mnt}", str(self.checkout(site) / "mnt"))
            believed = sorted(self.keys.get(name, ()))
            private = str(name in self.private).lower()
            lines.append(f"  {name}: {{store: {{{store}}}, private: {private}, keys: {believed}}}")
        self.checkout(site).mkdir(parents=True, exist_ok=True)
        (self.checkout(site) / "freehold.yaml").write_text("\n".join(lines) + "\n")

    @contextmanager
    def opened(self, site: str) -> Iterator[Site]:
        with open_site(self.checkout(site), self.clocks[site], site) as opened:
            yield opened

    def write(self, site: str, *names: str, alias: str = "champion") -> None:
        with self.opened(site) as opened:
            opened.ledger.append([note(name, alias) for name in names])
        self.acknowledged.update(names)

    def sync(self, site: str, *, verify: bool = False) -> Exchanged:
        with self.opened(site) as opened:
            return exchange(opened, verify=verify)

    def settle(self, *sites: str, verify: bool = False) -> None:
        """Everyone meets until nothing moves any more."""
        for _ in range(ROUNDS):
            told = [self.sync(site, verify=verify) for site in sites or SITES]
            if all(one.quiet for one in told):
                return
        raise AssertionError(f"after {ROUNDS} rounds they still have news for each other")

    def link(self, site: str, store: str) -> Path:
        return self.checkout(site) / "mnt" / store

    def store(self, name: str) -> Path:
        return self.folder / "stores" / name

    def cut(self, site: str, *stores: str) -> None:
        """A file where the store's folder was mounted."""
        for store in stores or SITES:
            self.link(site, store).unlink()
            self.link(site, store).touch()

    def mend(self, *sites: str) -> None:
        for site in sites or SITES:
            self.checkout(site).joinpath("mnt").mkdir(parents=True, exist_ok=True)
            for store in SITES:
                self.link(site, store).unlink(missing_ok=True)
                self.link(site, store).symlink_to(self.store(store))

    def back_up(self, site: str, name: str = "backup") -> Path:
        target = self.folder / f"{name}-{site}"
        shutil.copytree(self.state(site), target)
        return target

    def restore(self, site: str, backup: Path) -> None:
        shutil.rmtree(self.state(site))
        shutil.copytree(backup, self.state(site))

    def logs(self, site: str) -> dict[str, HeldLog]:
        with self.opened(site) as opened:
            return {log.writer: log for log in _keeper(opened).logs()}

    def writer(self, site: str) -> str:
        with self.opened(site) as opened:
            return opened.ledger.writer

    def entries(self, site: str) -> list[dict[str, Any]]:
        """Of all logs, as JSON."""
        with self.opened(site) as opened:
            return [
                orjson.loads(line)
                for log in _keeper(opened).logs()
                for _, line in _keeper(opened).log_lines(log.writer)
            ]

    def names(self, site: str) -> Counter[str]:
        """What the tests have recorded, by the names that they gave."""
        bodies = [one["body"] for one in self.entries(site)]
        return Counter(
            one.get("id", one.get("name")) for one in bodies if {"id", "name"} & set(one)
        )

    def tables(self, site: str) -> list[tuple[str, str, bytes]]:
        """The whole state, as it lies."""
        with closing(sqlite3.connect(self.state(site) / "ledger.db")) as connection:
            query = 'SELECT "table", key, value FROM state ORDER BY "table", key'
            return connection.execute(query).fetchall()

    def check(self, *sites: str, lost: frozenset[str] = frozenset()) -> None:
        """What was acknowledged is at each of these sites, once; they have the same logs and the
        same state; every log leads to each of its signed checkpoints; and nothing is there that
        nobody wrote. `lost`: what went with a site's state before anyone else had it."""
        sites = sites or SITES
        for site in sites:
            names = self.names(site)
            assert self.acknowledged - lost - set(names) == set(), f"lost at {site}"
            assert set(names) <= self.acknowledged, f"nobody wrote it: {site}"
            assert set(names.values()) <= {1}, f"twice at {site}"
            self.verify(site)
        heads = [{w: (log.size, log.root) for w, log in self.logs(s).items()} for s in sites]
        assert all(one == heads[0] for one in heads)
        tables = [self.tables(site) for site in sites]
        assert all(one == tables[0] for one in tables)

    def verify(self, site: str) -> None:
        """Every log that it holds, against its key; and the state, folded anew."""
        with self.opened(site) as opened:
            ledger = _keeper(opened)
            for log in ledger.logs():
                own = log.writer == opened.ledger.writer
                key = opened.signer.public if own else opened.keyring.of(log.writer)
                assert key is not None
                checkpoints = list(ledger.log_checkpoints(log.writer))
                report = verify(ledger.log_lines(log.writer), checkpoints, key)
                assert report.holds, (site, log.writer, report.faults)
                assert (report.entries, report.root) == (log.size, log.root)
                assert log.folded == log.size, f"{log.writer} waits at {site}"
            before = self.tables(site)
            assert ledger.rebuild() == sum(log.size for log in ledger.logs())
            assert self.tables(site) == before


class _Keeper(Ledger, KeepsLogs, Rebuilds):
    """What the tests need of a ledger."""


def _keeper(site: Site) -> _Keeper:
    assert isinstance(site.ledger, KeepsLogs)
    return site.ledger  # type: ignore[return-value]


@pytest.fixture(scope="session")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], World]:
    """Another one on each call."""

    def make() -> World:
        return world_of_folders(tmp_path_factory.mktemp("world"))

    return make


def world_of_folders(folder: Path, private: frozenset[str] = frozenset()) -> World:
    stores = {site: f"at: 'file://{{mnt}}/{site}'" for site in SITES}
    made = World(folder, stores, private=private)
    for site in SITES:
        made.store(site).mkdir(parents=True)
    made.mend()
    made.begin()
    return made


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    return make_world()


@pytest.fixture
def meeting_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[StoreSettings], World]:
    """A world whose sites meet in this store only, as that of aws."""

    def make(settings: StoreSettings) -> World:
        for name, value in settings.secrets.items():
            monkeypatch.setenv(f"FREEHOLD_AWS_{name.upper()}", value)
        where = f"at: '{settings.location}', endpoint: '{settings.endpoint}'"
        made = world_of_folders(tmp_path, private=frozenset({"onprem", "azure"}))
        made.stores["aws"] = f"{where}, region: '{settings.region}'"
        made.begin()

        def patient(*arguments: Any, **options: Any) -> StoreSettings:
            return StoreSettings(*arguments, **options, timeout=made.patience)

        monkeypatch.setattr("freehold.app.site.stores.StoreSettings", patient)
        return made

    return make
