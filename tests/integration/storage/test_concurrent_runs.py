"""Runs and collections at once, each in processes of their own, at a retention of nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORK = """
import json, sys
from pathlib import Path
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.site.opening import open_site

with open_site(Path(sys.argv[1])) as site:
    for number in range(int(sys.argv[2])):
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


def beside_each_other(place: Any, workers: int, runs: int) -> None:
    """Everything that no open run needs may go at once, so that each collection tries to."""
    place.settings("runs_days: 30", "runs_days: 0\n  grace_hours: 0")
    place.open().close()
    collector = start(COLLECT, place.folder)
    busy = [start(WORK, place.folder, runs) for _ in range(workers)]
    assert collector.stdin is not None and collector.stdout is not None
    said = ""
    while any(one.poll() is None for one in busy):
        collector.stdin.write("look\n")
        collector.stdin.flush()
        said = collector.stdout.readline()
        assert said, collector.communicate()[1]
    errors = collector.communicate()[1]
    assert collector.returncode == 0, errors
    made = []
    for one in busy:
        out, errors = one.communicate()
        assert one.returncode == 0, errors
        made += [json.loads(line) for line in out.splitlines()]
    assert len(made) == workers * runs
    assert len({one["total"] for one in made}) == 2
    with place.open() as site:
        statuses = [row["status"] for _, row in site.state.scan("runs")]
        assert statuses == ["finished"] * (workers * runs)
        # When all is still, the two looks that are needed let everything go.
        place.now = site.state.get("runs", made[-1]["run"])["ended"] + 10**12
        place.collect(site)
        place.collect(site)
        assert list(site.objects.keys("artifacts/")) == []


def test_no_run_misses_what_it_needs(place: Any) -> None:
    beside_each_other(place, workers=2, runs=6)


@pytest.mark.long
def test_no_run_of_many_misses_what_it_needs(place: Any) -> None:
    beside_each_other(place, workers=4, runs=100)
