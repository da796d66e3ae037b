"""How much time does a pipeline cost beyond its steps, with every step recorded durably?

`python -m benchmarks.pipeline_overhead [--json] [--alone]`; measures the peers in the same run
(some four minutes; their environments are made on the first), unless `--alone`.

The limit is the same functions called plainly, with one full-sync SQLite transaction each.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from benchmarks.peers.figures import STEPS, seconds
from benchmarks.peers.pipelines import measure_peers
from benchmarks.report import report, versions_of
from freehold import pipeline, step
from freehold.domain.graph import Graph
from freehold.ports.attachment_store import AttachmentStore
from freehold.running.codecs import Codecs
from freehold.running.execution import execute
from freehold.running.projection import projection
from freehold.running.readiness import Options
from freehold.running.surroundings import Surroundings

QUESTION = "How long does a pipeline take beyond the work of its steps?"
WARM_RUNS = 7
COLD_RUNS = 5
SOURCES = {"benchmarks.pipeline_overhead": Path(__file__).read_bytes()}


@step
def first(position: int) -> dict[str, int]:
    return {"x": position}


@step
def following(value: dict[str, int]) -> dict[str, int]:
    return {"x": value["x"] + 1}


@pipeline
def chain() -> Any:
    value = first(0)
    for _ in range(1, STEPS["chain"]):
        value = following(value)
    return value


@pipeline
def fan() -> Any:
    return [first(position) for position in range(STEPS["fan"])]


PIPELINES = {"chain": chain, "fan": fan}


installed = cache(entry_points)
"""Reading them takes some 40 ms, each time."""


def adapter(port: str, name: str) -> Any:
    """Found as the product finds it."""
    (found,) = installed().select(group=f"freehold.{port}", name=name)
    return found.load()


@contextmanager
def site(folder: Path) -> Iterator[Surroundings]:
    folder.mkdir(exist_ok=True)
    signer, key = adapter("signer", "keys"), folder / "site.key"
    objects = adapter("object_store", "disk")(folder / "objects")
    ledger = adapter("ledger", "sqlite")(
        folder / "ledger.db",
        writer="benchmark",
        signer=signer(key) if key.exists() else signer.create(key),
        clock=wall,
        projections=[projection],
    )
    engine = adapter("engine", "inline")()
    try:
        yield Surroundings(
            ledger=ledger,
            objects=objects,
            attachments=AttachmentStore(objects, os.urandom),
            locks=adapter("locks", "filelock")(folder / "locks"),
            codecs=Codecs(("builtins",), lambda name: adapter("codec", name)),
            clock=wall,
            sleep=time.sleep,
            workspace=folder,
            engine=engine,
        )
    finally:
        engine.close()
        ledger.close()


def wall() -> int:
    return time.time_ns() // 1000


def run(shape: str, world: Surroundings, *, cached: bool) -> None:
    graph: Graph = PIPELINES[shape].trace()
    execute(graph, world, Options(SOURCES, environment="benchmark", cache=cached))


def ours(shape: str, folder: Path) -> dict[str, float]:
    with site(folder) as world:
        run(shape, world, cached=True)
        warm = _median(lambda: run(shape, world, cached=False))
        cached = _median(lambda: run(shape, world, cached=True))
    command = [sys.executable, "-m", "benchmarks.pipeline_overhead", "run", shape, str(folder)]
    cold = [seconds(lambda: subprocess.run(command, check=True)) for _ in range(COLD_RUNS)]
    return {
        "cold_s": min(cold),
        "warm_ms_per_step": 1000 * warm / STEPS[shape],
        "cached_s": cached,
    }


def limit(shape: str, folder: Path) -> float:
    """Milliseconds a step: a plain call and one durable transaction."""
    with closing(sqlite3.connect(folder / "limit.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS steps (value INTEGER)")

        def record(value: dict[str, int]) -> dict[str, int]:
            connection.execute("INSERT INTO steps VALUES (?)", (value["x"],))
            return value

        def work() -> None:
            value = record(first(0))
            for position in range(1, STEPS[shape]):
                value = record(following(value) if shape == "chain" else first(position))

        return 1000 * _median(work) / STEPS[shape]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="freehold-overhead-") as folder:
        found = {shape: ours(shape, Path(folder) / shape) for shape in STEPS}
        limits = {shape: limit(shape, Path(folder)) for shape in STEPS}
    peers = {} if "--alone" in sys.argv else measure_peers()
    figures: dict[str, float | None] = {}
    ratios: dict[str, float | None] = {}
    for shape, steps in STEPS.items():
        name = f"{shape} of {steps}"
        for who, measured in {"freehold": found, **peers}.items():
            for key, value in measured[shape].items():
                figures[f"{name}, {who}, {key}"] = value
                if who != "freehold" and value and key in found[shape]:
                    ratios[f"{name}, freehold / {who}, {key}"] = found[shape][key] / value
        figures[f"{name}, plain calls and SQLite, warm_ms_per_step"] = limits[shape]
        ratio = found[shape]["warm_ms_per_step"] / limits[shape]
        ratios[f"{name}, freehold / plain calls and SQLite"] = ratio
    versions = versions_of("freehold") | {name: one["version"] for name, one in peers.items()}
    report(QUESTION, figures, ratios, versions)


def _median(work: Callable[[], object]) -> float:
    return statistics.median(seconds(work) for _ in range(WARM_RUNS))


def run_once(shape: str, folder: Path) -> None:
    with site(folder) as world:
        run(shape, world, cached=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run_once(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
