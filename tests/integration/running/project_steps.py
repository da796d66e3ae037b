"""Steps of a project, imported by the processes that the tests start."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from freehold import pipeline, step

FOLDER = Path(os.environ.get("TRACE_FOLDER", "."))


def note(what: str) -> None:
    """Leave a mark that the test can count, one file per call."""
    (FOLDER / f"{what}.{os.getpid()}.{time.monotonic_ns()}").touch()


def wait_for(name: str) -> None:
    while not (FOLDER / name).exists():
        time.sleep(0.005)


@step
def first(rows: int) -> pl.DataFrame:
    note("first")
    return pl.DataFrame({"n": range(rows)})


@step
def second(table: pl.DataFrame) -> pl.DataFrame:
    note("second")
    wait_for("go")
    return table.with_columns(pl.col("n") * 2)


@step
def third(table: pl.DataFrame) -> int:
    note("third")
    return int(table["n"].sum())


@pipeline
def chain(rows: int) -> Any:
    return third(second(first(rows)))


@step
def shared(number: int) -> int:
    note("shared")
    wait_for("go")
    return number + 1


@step
def own(number: int, name: str) -> str:
    return f"{name}: {number}"


@pipeline
def sharing(name: str) -> Any:
    return own(shared(1), name)


@step(timeout=60.0)
def described(table: pl.DataFrame, start: str, weights: list[float]) -> dict[str, float]:
    print("said by a step")
    return {"rows": table.height, "weight": sum(weights)}


@step(timeout=60.0, labels={"pii": ""})
def scaled(rows: int) -> float:
    return rows


@pipeline
def in_processes(rows: int) -> Any:
    return described(first(rows), "2013-01-01", [scaled(rows), 0.5])


@step(timeout=0.5)
def endless() -> int:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (FOLDER / "child").write_text(str(child.pid))
    time.sleep(600)
    return 1


@step
def raising_in_a_process(number: int) -> int:
    return number // 0


@pipeline
def too_long() -> Any:
    return endless()


@pipeline
def raising() -> Any:
    return raising_in_a_process(1)
