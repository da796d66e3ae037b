"""A site that consumes: its clock is the test's, and what it used is written as
the product does."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.app.costs.meter import Metered, meter
from freehold.app.costs.rows import usage_rows
from freehold.app.costs.tariff import Tariff
from freehold.app.site.moved import Tally
from freehold.app.site.opening import Site, open_site
from freehold.catalog.metering import Spent, spent_in
from freehold.domain.fact import Draft
from freehold.domain.offer import Figure

PROJECT = """\
project: shop
pipelines: {train: steps:train}
models: {churn: {pipeline: train}}
tags: {team: growth, environment: test}
site: here
sites:
  here:
    store: {at: "STORE"}
    machines: {m5.large: {cpus: 2, memory: 8 GiB, price: 0.36}}
  there:
    store: {at: "OTHER"}
"""
SECOND = 1_000_000
HOUR = 3600 * SECOND


class Clock:
    def __init__(self) -> None:
        self.now = int(datetime(2026, 11, 2, 9, tzinfo=UTC).timestamp()) * SECOND

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def figure(value: float) -> Figure:
    return Figure(value, "USD", "the test")


TARIFF = Tariff(
    currency="USD",
    sites={"here": ("aws", "eu-west-1"), "there": ("gcp", "europe-west4")},
    price_of=lambda site, machine, spot: figure(0.36) if machine == "m5.large" else None,
    carbon_of=lambda site, machine: figure(0.05) if machine == "m5.large" else None,
    storage_of=lambda site: figure(0.73),
    transfer_of=lambda origin, destination: figure(0.09),
    machine="m5.large",
)


@dataclass
class Consumer:
    folder: Path
    clock: Clock
    site: Site
    _numbers: Iterator[int] = field(default_factory=count)

    def run(self, name: str = "r1") -> None:
        body = {
            "environment": "",
            "parameters": {},
            "parameters_attachment": "",
            "pipeline": "train",
            "run": name,
            "steps": 1,
        }
        self.site.ledger.append([Draft("run.started", body, 2)])

    def step(self, seconds: float, run: str = "r1", step: str = "", **more: Any) -> None:
        self.clock.pass_seconds(seconds)
        body = {
            "cached": False,
            "components": {},
            "function": "steps:train",
            "inputs": [],
            "key": f"key-{next(self._numbers)}",
            "microseconds": int(seconds * SECOND),
            "outputs": [],
            "run": run,
            "step": step or f"s{next(self._numbers)}",
            **more,
        }
        self.site.ledger.append([Draft("step.finished", body)])

    def log_part(self, rows: int, version: int = 1, **more: Any) -> None:
        body = {
            "model": "churn",
            "file": f"{next(self._numbers)}.parquet",
            "digest": "sha256:" + "0" * 64,
            "rows": rows,
            "first": self.clock.now,
            "last": self.clock.now,
            "answered": self.clock.now,
            "variants": [{"version": version, "requests": 1, "rows": rows, "failed": 0}],
            **more,
        }
        self.site.ledger.append([Draft("log.recorded", body)])

    def edge_replica(self, start: int, **seconds: float) -> None:
        """What a bundle at `there` told of a replica, by version `v1`."""
        about = {
            "start": start,
            "beat": self.clock.now,
            "ended": False,
            "seconds": {version[1:]: one for version, one in seconds.items()},
        }
        number = next(self._numbers)
        body = {
            "site": "there",
            "model": "churn",
            "digest": f"sha256:{number:064d}",
            "kind": "replica",
            "about": about,
        }
        self.site.ledger.append([Draft("bundle.told", body)])

    def moves(self, sent: int = 0, fetched: int = 0, ended: bool = True) -> Tally:
        counted = Tally(self.site.folder, self.clock)
        self.clock.pass_seconds(1)
        counted.sent("there", sent)
        counted.fetched("there", fetched)
        if ended:
            counted.end()
        return counted

    def beat(self, name: str, start: int, *, ended: bool = False, **seconds: float) -> Path:
        path = self.site.serving / "replicas" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "start": start,
            "beat": self.clock.now,
            "ended": ended,
            "model": "churn",
            "seconds": {version[1:]: one for version, one in seconds.items()},
        }
        path.write_text(json.dumps(told))
        return path

    def meter(self) -> Metered | None:
        self.clock.pass_seconds(0.001)
        return meter(self.site, TARIFF)

    def rows(self) -> pl.DataFrame:
        return usage_rows(self.site).frame.collect()

    def spent(self) -> list[Spent]:
        return list(spent_in(self.site.state))

    def quantity(self, kind: str) -> float:
        rows = self.rows().filter(pl.col("x_Kind") == kind)
        return float(rows["ConsumedQuantity"].sum())

    def facts(self, kind: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for _, line in self.site.ledger.lines()]
        return [fact for fact in found if fact["type"] == kind]


def begun(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    text = PROJECT.replace("STORE", f"file://{folder}/store").replace(
        "OTHER", f"file://{folder}/other"
    )
    (folder / "freehold.yaml").write_text(text)
    (folder / "steps.py").write_text("")
    return folder


@pytest.fixture
def consumers(tmp_path: Path) -> Iterator[Callable[[], Consumer]]:
    """Makes sites, each in a folder of its own."""
    opened: list[Site] = []

    def make() -> Consumer:
        clock = Clock()
        folder = begun(tmp_path / f"site-{len(opened)}")
        opened.append(open_site(folder, clock))
        return Consumer(folder, clock, opened[-1])

    yield make
    for site in opened:
        site.close()


@pytest.fixture
def tariff() -> Tariff:
    return TARIFF


@pytest.fixture
def consumer(consumers: Callable[[], Consumer]) -> Consumer:
    return consumers()
