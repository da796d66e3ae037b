"""What every runner shares: how runs are timed and figures printed."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

STEPS = {"chain": 20, "fan": 50}
"""Steps one after another, each fed by the one before; steps that need nothing of each other."""


@dataclass(frozen=True)
class Task:
    shape: str
    repeats: int
    """1 for a cold run, whose process is timed from outside; more for warm ones."""

    @property
    def steps(self) -> int:
        return STEPS[self.shape]


def task() -> Task:
    """From the command line: SHAPE REPEATS."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", choices=sorted(STEPS))
    parser.add_argument("repeats", type=int)
    given = parser.parse_args()
    return Task(given.shape, given.repeats)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(task: Task, run: Callable[[], object], cached: Callable[[], object] | None) -> None:
    """Prints `first_s`, and for warm runs `warm_s` and, where there is a cache, `cached_s`.

    The fastest of the runs, since what else a machine does only ever adds.
    """
    figure("first_s", seconds(run))
    if task.repeats == 1:
        return
    figure("warm_s", min(seconds(run) for _ in range(task.repeats)))
    if cached is not None:
        cached()
        figure("cached_s", min(seconds(cached) for _ in range(task.repeats)))


def figure(name: str, value: float) -> None:
    print(json.dumps({"figure": name, "value": value}), flush=True)
