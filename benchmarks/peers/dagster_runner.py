"""Dagster: a job executed in this process, with its events in memory; `recorded_s` with them in
SQLite.

Steps of an independent job run one after another here; its multi-process executor starts a
process for each. There is no re-run from a cache.
"""

import logging
import os
from pathlib import Path

from dagster import DagsterInstance, JobDefinition, job, op

from benchmarks.peers.figures import Task, figure, measure, seconds, task


@op
def first() -> dict[str, int]:
    return {"x": 0}


@op
def following(value: dict[str, int]) -> dict[str, int]:
    return {"x": value["x"] + 1}


def definition(task: Task) -> JobDefinition:
    @job
    def chain() -> None:
        value = first()
        for position in range(1, task.steps):
            value = following.alias(f"step_{position}")(value)

    @job
    def fan() -> None:
        for position in range(task.steps):
            first.alias(f"step_{position}")()

    return chain if task.shape == "chain" else fan


def main() -> None:
    logging.disable(logging.CRITICAL)
    asked = task()
    work = definition(asked)
    measure(asked, work.execute_in_process, None)
    if asked.repeats > 1:
        recorded(asked, work)


def recorded(asked: Task, work: JobDefinition) -> None:
    home = Path.cwd() / "dagster"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    os.environ["DAGSTER_HOME"] = str(home)
    with DagsterInstance.get() as instance:
        work.execute_in_process(instance=instance)
        runs = (
            seconds(lambda: work.execute_in_process(instance=instance))
            for _ in range(asked.repeats)
        )
        figure("recorded_s", min(runs))


if __name__ == "__main__":
    main()
