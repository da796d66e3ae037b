"""A tiny project with two sites that meet on the disk; a site may have several machines."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from freehold.agent.events import Event
from freehold.agent.loop import Agent, Surroundings
from freehold.agent.stopping import Stopping
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import Site, open_site, wall_clock
from freehold.app.work.claim import Claims
from freehold.app.work.request import plan_request, request
from freehold.replication.leases import work_of
from freehold.replication.work import Work

PROJECT = """\
project: tiny
site: onprem
parallel: 1
pipelines:
  sums: steps:sums
  greeting: steps:greeting
sites:
  onprem: {{store: {{at: "file://{stores}/onprem"}}, keys: [{onprem}]}}
  aws: {{store: {{at: "file://{stores}/aws"}}, keys: [{aws}]}}
"""
STEPS = '''\
"""Two steps; each leaves a line in marks.txt when it runs."""

from pathlib import Path

from freehold import pipeline, step

HERE = Path(__file__).parent


def mark(name: str) -> None:
    with (HERE / "marks.txt").open("a") as file:
        file.write(name + "\\n")


@step
def numbers(count: int) -> list[int]:
    mark("numbers")
    if (HERE / "broken").exists():
        raise ValueError("it is broken")
    return list(range(count))


@step(cache=False)
def total(given: list[int]) -> int:
    mark("total")
    return sum(given)


@step(cache=False)
def greeted(name: str) -> str:
    return f"hello {name}"


@pipeline
def sums(count: int = 4) -> int:
    return total(numbers(count))


@pipeline
def greeting(name: str = "you") -> str:
    return greeted(name)
'''


@dataclass
class Machine:
    """A checkout of the project at a site, with a state of its own."""

    root: Path
    site: str
    events: list[Event] = field(default_factory=list)

    def open(self, clock: Callable[[], int] = wall_clock) -> Site:
        return open_site(self.root, clock, self.site)

    def agent(self, site: Site, **more: Any) -> Agent:
        world: dict[str, Any] = {
            "claims": Claims(site, seconds=60, grace=20, now=count().__next__),
            "exchange": exchange,
            "tell": self.events.append,
            "stopping": Stopping(),
            **more,
        }
        return Agent(Surroundings(site, **world))

    @property
    def told(self) -> list[str]:
        return [event.kind for event in self.events if not event.routine]

    @property
    def marks(self) -> list[str]:
        path = self.root / "marks.txt"
        return path.read_text().split() if path.exists() else []


@dataclass
class World:
    folder: Path
    machines: dict[str, Machine]

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def ask(self, pipeline: str = "sums", **values: Any) -> str:
        """onprem asks aws."""
        with self["onprem"].open() as site:
            work = request(site, plan_request(site, "aws", pipeline, values))
            exchange(site)
            return work.name

    def said(self, machine: str, name: str) -> Work:
        with self[machine].open() as site:
            return work_of(site.state, name)

    def meet(self) -> None:
        for _ in range(2):
            for machine in self.machines.values():
                with machine.open() as site:
                    assert not exchange(site).faults


def made(folder: Path) -> World:
    """One machine of onprem, two of aws, each of which knows the others' keys."""
    machines = {
        name: Machine(folder / name, site)
        for name, site in (("onprem", "onprem"), ("aws", "aws"), ("second", "aws"))
    }
    stores = folder / "stores"
    keys: dict[str, list[str]] = {"onprem": [], "aws": []}
    for machine in machines.values():
        machine.root.mkdir(parents=True)
        (machine.root / "steps.py").write_text(STEPS)
        empty = PROJECT.format(stores=stores, onprem="", aws="")
        (machine.root / "freehold.yaml").write_text(empty)
        with machine.open() as site:
            keys[machine.site].append(site.signer.public.fingerprint)
    text = PROJECT.format(stores=stores, **{site: ", ".join(one) for site, one in keys.items()})
    for machine in machines.values():
        (machine.root / "freehold.yaml").write_text(text)
    return World(folder, machines)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return made(tmp_path)


@pytest.fixture(scope="session")
def make_world() -> Callable[[Path], World]:
    def make(folder: Path) -> World:
        shutil.rmtree(folder, ignore_errors=True)
        return made(folder)

    return make
