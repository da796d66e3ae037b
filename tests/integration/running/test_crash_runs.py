"""kill -9 at seeded points of a run: nothing recorded is lost or stands twice, and it goes on."""

import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from freehold.app.audit.verify import audit
from freehold.app.run.plan import plan_run
from freehold.app.run.run import plan_resume, resume_run, run
from freehold.app.run.runs import runs
from freehold.app.site.opening import open_site
from freehold.domain.errors import NotFound

PROJECT = "project: tiny\npipelines: {sums: steps:sums}\nparallel: 2\n"
STEPS = """\
from freehold import pipeline, step


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
def doubled(given: list[int]) -> list[int]:
    return [2 * one for one in given]


@step
def squared(given: list[int]) -> list[int]:
    return [one * one for one in given]


@step(cache=False)
def total(one: list[int], other: list[int]) -> int:
    return sum(one) + sum(other)


@pipeline
def sums(count: int = 4) -> int:
    given = numbers(count)
    return total(doubled(given), squared(given))
"""
SCRIPT = """
import sys
from pathlib import Path
from freehold.app.run.plan import plan_run
from freehold.app.run.run import plan_resume, run
from freehold.app.site.opening import open_site

def observe(told):
    if told.status in ("finished", "cached"):
        acknowledge(f"step {told.run} {told.step}")

with open_site(Path(sys.argv[1])) as site:
    acknowledge("opened")
    finished = run(site, plan_run(site), observe)
    acknowledge(f"run {finished.outcome.run}")
    again = run(site, plan_run(site, values={"count": 3}), observe)
    acknowledge(f"run {again.outcome.run}")
"""
TYPED = """
import io
import json
import os
import sys
from freehold.cli.main import run

os.chdir(sys.argv[1])
for count in (4, 3):
    sys.stdout = io.StringIO()
    assert run(["run", "--set", f"count={count}", "--yes", "--json"]) == 0
    acknowledge(f"run {json.loads(sys.stdout.getvalue())['run']}")
"""
"""The same, as a person types it."""
STEP_NAMES = {"numbers", "doubled", "squared", "total"}


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "freehold.yaml").write_text(PROJECT)
    (folder / "steps.py").write_text(STEPS)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "tiny")


@pytest.fixture(scope="module")
def lines(crash: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> int:
    passed = crash.count_lines(SCRIPT, [made(tmp_path_factory.mktemp("whole"))])
    assert passed > 3000
    return int(passed)


@pytest.fixture(scope="module")
def typed(crash: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Lines of both commands together."""
    passed = crash.count_lines(TYPED, [made(tmp_path_factory.mktemp("typed"))])
    assert passed > 3000
    return int(passed)


def facts(site: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for _, line in site.ledger.lines()]


def state_of(site: Any) -> dict[str, list[Any]]:
    tables = ("runs", "steps", "recent_steps", "cache", "checks", "versions", "releases", "aliases")
    return {table: list(site.state.scan(table)) for table in tables}


def check_what_stands(folder: Path, acknowledged: tuple[str, ...]) -> None:
    with open_site(folder) as site:
        report = audit(site)
        assert report.history.holds, report.history.faults
        state = state_of(site)
        assert site.ledger.rebuild() == report.history.entries
        assert state_of(site) == state
        _nothing_is_lost(site, acknowledged)
        _nothing_stands_twice(site)
        _goes_on(site)
        _nothing_stands_twice(site)
        assert audit(site).history.holds


def _nothing_is_lost(site: Any, acknowledged: tuple[str, ...]) -> None:
    """A run that was told as finished is; each output that a fact names is there and verifies."""
    finished = {row["run"] for row in runs(site) if row["status"] == "finished"}
    assert {line.split()[1] for line in acknowledged if line.startswith("run ")} <= finished
    if "opened" in acknowledged:
        assert facts(site)[0]["type"] == "site.opened"
    for fact in facts(site):
        for output in fact["body"].get("outputs", ()):
            assert site.artifacts.holds(output["digest"])


def _nothing_stands_twice(site: Any) -> None:
    found = Counter(
        (fact["type"], fact["body"]["run"], fact["body"].get("step"))
        for fact in facts(site)
        if fact["type"] in ("run.started", "step.finished", "run.finished")
    )
    assert set(found.values()) <= {1}, found
    assert [fact["type"] for fact in facts(site)].count("site.opened") == 1


def _goes_on(site: Any) -> None:
    """`freehold run --resume` until nothing waits; then a new run answers as it would have."""
    waiting = [row["run"] for row in runs(site) if row["status"] != "finished"]
    assert len(waiting) <= 1
    for name in waiting:
        done = resume_run(site, plan_resume(site))
        assert done.outcome.run == name
        assert set(done.outcome.steps) == STEP_NAMES
    with pytest.raises(NotFound, match="no run waits"):
        resume_run(site, plan_resume(site))
    assert all(row["finished"] == row["steps"] for row in runs(site))
    result = run(site, plan_run(site)).outcome.result
    assert json.loads(site.artifacts.get(result.digest)) == 26


def kill_between_lines(
    crash: ModuleType, folder: Path, lines: int, seed: int, script: str = SCRIPT
) -> None:
    outcome = crash.run_until_killed(script, [folder], seed=seed, lines=lines)
    # Threads take turns differently each time, so that a run may be a few lines shorter.
    assert outcome.killed == bool(outcome.place)
    check_what_stands(folder, outcome.acknowledged)


def kill_from_outside(crash: ModuleType, folder: Path, seed: int) -> None:
    outcome = crash.run_until_killed_by_parent(SCRIPT, [folder], seed=seed, acknowledgements=10)
    assert outcome.acknowledged
    check_what_stands(folder, outcome.acknowledged)


@pytest.mark.parametrize("seed", range(6))
def test_killed_between_two_lines(crash: ModuleType, folder: Path, lines: int, seed: int) -> None:
    kill_between_lines(crash, folder, lines, seed)


@pytest.mark.parametrize("seed", range(50, 53))
def test_killed_between_two_lines_of_commands(
    crash: ModuleType, folder: Path, typed: int, seed: int
) -> None:
    kill_between_lines(crash, folder, typed, seed, TYPED)


@pytest.mark.parametrize("seed", range(2))
def test_killed_from_outside(crash: ModuleType, folder: Path, seed: int) -> None:
    kill_from_outside(crash, folder, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 145))
def test_killed_between_two_lines_often(
    crash: ModuleType, folder: Path, lines: int, seed: int
) -> None:
    kill_between_lines(crash, folder, lines, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200, 220))
def test_killed_between_two_lines_of_commands_often(
    crash: ModuleType, folder: Path, typed: int, seed: int
) -> None:
    kill_between_lines(crash, folder, typed, seed, TYPED)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_killed_from_outside_often(crash: ModuleType, folder: Path, seed: int) -> None:
    kill_from_outside(crash, folder, seed)
