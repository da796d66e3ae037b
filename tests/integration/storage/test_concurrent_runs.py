"""Runs and collections at once, each in processes of their own, at a retention of nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from freehold.domain.artifact import object_key

WORK = """
import json, sys
from pathlib import Path
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.site.opening import open_site

with open_site(Path(sys.argv[1])) as site:
    for number, _ in enumerate(sys.stdin):
        made = run(site, plan_run(site, "sums", {"rows": 3 + number % 2}, cache=number % 3 != 0))
        outputs = [o for step in made.outcome.steps.values() for o in step.outputs]
        print(json.dumps({"run": made.outcome.run, "total": outputs[-1].digest}), flush=True)
"""
COLLECT = """
import sys
from pathlib import Path
from freehold.app.site.opening import open_site
from freehold.app.storage.gc import collect
from freehold.app.storage.survey import survey

with open_site(Path(sys.argv[1])) as site:
    gone = looks = 0
    while sys.stdin.readline():
        made = collect(site, survey(site))
        gone, looks = gone + made.objects, looks + 1
        print(f"{looks} {gone}", flush=True)
"""


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


class Collector:
    """Everything that no open run needs may go at once, so that each look tries to."""

    def __init__(self, place: Any) -> None:
        place.settings("runs_days: 30", "runs_days: 0\n  grace_hours: 0")
        self.process, self.gone = start(COLLECT, place.folder), 0

    def look(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("look\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        assert said, self.process.communicate()[1]
        self.gone = int(said.split()[1])

    def end(self) -> None:
        errors = self.process.communicate()[1]
        assert self.process.returncode == 0, errors


def check(place: Any, made: list[dict[str, str]], runs: int) -> None:
    assert len(made) == runs
    assert len({one["total"] for one in made}) == 2
    with place.open() as site:
        assert [row["status"] for _, row in site.state.scan("runs")] == ["finished"] * runs
        # When all is still, the two looks that are needed let everything else go.
        place.now = site.state.get("runs", made[-1]["run"])["ended"] + 10**12
        looks = [place.collect(site).as_json() for _ in range(2)]
        left = set(site.objects.keys("artifacts/"))
        assert left == {object_key(one) for one in place.metered(site)}, looks


def beside_each_other(place: Any, workers: int, runs: int) -> None:
    collector = Collector(place)
    busy = [start(WORK, place.folder) for _ in range(workers)]
    for one in busy:
        assert one.stdin is not None
        one.stdin.write("run\n" * runs)
        one.stdin.close()
    while any(one.poll() is None for one in busy):
        collector.look()
    collector.end()
    made = []
    for one in busy:
        assert one.stdout is not None and one.stderr is not None
        with one.stdout, one.stderr:
            out, errors = one.stdout.read(), one.stderr.read()
        assert one.returncode == 0, errors
        made += [json.loads(line) for line in out.splitlines()]
    check(place, made, workers * runs)


def one_after_the_other(place: Any, runs: int) -> None:
    """Between two runs a collection takes away what the next one would find, or make again."""
    collector, worker = Collector(place), start(WORK, place.folder)
    assert worker.stdin is not None and worker.stdout is not None
    made = []
    for _ in range(runs):
        worker.stdin.write("run\n")
        worker.stdin.flush()
        before = collector.gone
        collector.look()
        made.append(json.loads(worker.stdout.readline()))
        collector.look()
        collector.look()
        assert collector.gone > before
    errors = worker.communicate()[1]
    assert worker.returncode == 0, errors
    collector.end()
    check(place, made, runs)


def test_no_run_misses_what_it_needs(place: Any) -> None:
    beside_each_other(place, workers=2, runs=6)


def test_what_went_between_two_runs_is_made_again(place: Any) -> None:
    one_after_the_other(place, runs=5)


@pytest.mark.long
def test_no_run_of_many_misses_what_it_needs(place: Any) -> None:
    beside_each_other(place, workers=4, runs=40)


@pytest.mark.long
def test_what_went_between_many_runs_is_made_again(place: Any) -> None:
    one_after_the_other(place, runs=60)
