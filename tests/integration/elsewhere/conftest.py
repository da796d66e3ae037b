"""A project of three sites that meet in folders. One drives runs; the agents of the others are
processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from freehold.app.run.elsewhere import Elsewhere
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.run import FinishedRun, plan_resume, resume_run, run
from freehold.app.site.opening import Site, open_site
from freehold.domain.placement import Place
from freehold.domain.run import Progress

HERE = Path(__file__).parent
PROJECT = """\
project: places
site: onprem
parallel: 2
pipelines:
  chain: steps:chain
  failing: steps:failing
  counting: steps:counting
  labelled: steps:labelled
  wide: steps:wide
sites:
  onprem:
    store: {{at: "file://{stores}/onprem"}}
    jurisdiction: EU
    keys: [{onprem}]
  aws:
    store: {{at: "file://{stores}/aws"}}
    jurisdiction: US
    keys: [{aws}]
  azure:
    store: {{at: "file://{stores}/azure"}}
    jurisdiction: EU
    keys: [{azure}]
"""
NAMES = ("onprem", "aws", "azure")
PATIENCE = 90
"""Seconds after which something counts as not coming at all."""
QUICK = Elsewhere(every=0.1, grace=1.0, patience=1.0)


@dataclass
class Machine:
    """A checkout of the project at a site, with a state of its own; and its agent."""

    root: Path
    site: str
    agents: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def open(self) -> Site:
        return open_site(self.root, site=self.site)

    def start(self, lease: float = 2.0) -> "subprocess.Popen[bytes]":
        """Its agent, which may be killed."""
        command = [sys.executable, "-m", "freehold.cli.main", "agent", "--site", self.site]
        command += ["--every", "0.1", "--lease", str(lease), "--json"]
        with (self.root / "agent.log").open("ab") as log:
            agent = subprocess.Popen(
                command, cwd=self.root, stdout=log, stderr=log, start_new_session=True
            )
        self.agents.append(agent)
        return agent

    def told(self) -> list[dict[str, Any]]:
        path = self.root / "agent.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def marks(self) -> list[str]:
        path = self.root / "marks.txt"
        return path.read_text().split() if path.exists() else []

    def stop(self) -> None:
        for agent in self.agents:
            if agent.poll() is None:
                agent.kill()
            agent.wait()


@dataclass
class World:
    folder: Path
    machines: dict[str, Machine]
    seen: list[Progress] = field(default_factory=list)
    quick: Elsewhere = QUICK

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """As a power cut does."""
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def plan(self, site: Site, pipeline: str, places: Mapping[str, Place]) -> PlannedRun:
        return replace(plan_run(site, pipeline), places=dict(places))

    def run(
        self, pipeline: str, places: Mapping[str, Place], settings: Elsewhere = QUICK
    ) -> FinishedRun:
        """onprem drives."""
        with self["onprem"].open() as site:
            planned = self.plan(site, pipeline, places)
            return run(site, planned, self.seen.append, elsewhere=settings)

    def resume(self, places: Mapping[str, Place], settings: Elsewhere = QUICK) -> FinishedRun:
        with self["onprem"].open() as site:
            found = plan_resume(site)
            planned = replace(found.planned, places=dict(places))
            return resume_run(
                site, replace(found, planned=planned), self.seen.append, elsewhere=settings
            )

    def drive(
        self, pipeline: str, places: Mapping[str, Place], patience: float = 1.0
    ) -> "subprocess.Popen[bytes]":
        """As a process that may be killed."""
        told = json.dumps({name: place.as_json() for name, place in places.items()})
        command = [sys.executable, str(HERE / "driver.py"), str(self["onprem"].root), pipeline]
        driver = subprocess.Popen([*command, told, str(patience)])
        self["onprem"].agents.append(driver)
        return driver

    def bodies(self, kind: str, machine: str = "onprem") -> list[dict[str, Any]]:
        """Of the facts of that type in all logs that the machine holds."""
        with self[machine].open() as site:
            found = [
                json.loads(line)
                for log in site.ledger.logs()
                for _, line in site.ledger.log_lines(log.writer)
            ]
        return [fact["body"] for fact in found if fact["type"] == kind]

    def stored(self, name: str) -> list[Path]:
        """What lies in the store of a site, or (`onprem/objects`) among its own objects."""
        return [one for one in (self.folder / "stores" / name).rglob("*") if one.is_file()]

    def value(self, finished: FinishedRun) -> Any:
        with self["onprem"].open() as site:
            return json.loads(site.artifacts.get(finished.outcome.result.digest))


def made(folder: Path) -> World:
    machines = {name: Machine(folder / name, name) for name in NAMES}
    machines["second"] = Machine(folder / "second", "aws")
    stores = folder / "stores"
    keys: dict[str, list[str]] = {name: [] for name in NAMES}
    for machine in machines.values():
        machine.root.mkdir(parents=True)
        (machine.root / "steps.py").write_bytes((HERE / "project_steps.py").read_bytes())
        empty = PROJECT.format(stores=stores, onprem="", aws="", azure="")
        (machine.root / "freehold.yaml").write_text(empty)
        with machine.open() as site:
            keys[machine.site].append(site.signer.public.fingerprint)
    text = PROJECT.format(stores=stores, **{site: ", ".join(one) for site, one in keys.items()})
    for machine in machines.values():
        (machine.root / "freehold.yaml").write_text(text)
    return World(folder, machines)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.delitem(sys.modules, "steps", raising=False)
    world = made(tmp_path)
    try:
        yield world
    finally:
        for machine in world.machines.values():
            machine.stop()
        sys.modules.pop("steps", None)
        sys.path[:] = [one for one in sys.path if not one.startswith(str(tmp_path))]


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any]], Any]:
    def wait(happened: Callable[[], Any]) -> Any:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = happened()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError("it did not happen")

    return wait
