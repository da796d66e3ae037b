"""Runs in real processes: killed, side by side, and with steps in processes of their own."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from freehold.running.projection import steps_of, unfinished

HERE = Path(__file__).parent
SCRIPT = HERE / "site_process.py"


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_process", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site_process = _module()


class Place:
    """A site, a folder of marks that steps leave, and the processes that were started."""

    def __init__(self, folder: Path) -> None:
        self.site, self.marks = folder / "site", folder / "marks"
        self.site.mkdir()
        self.marks.mkdir()
        self.started: list[subprocess.Popen[str]] = []

    def start(self, verb: str, *rest: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), verb, str(self.site), *rest],
            env={**os.environ, "TRACE_FOLDER": str(self.marks)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def finish(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        said, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return {**json.loads(said), "errors": errors}

    def count(self, step: str) -> int:
        return len(list(self.marks.glob(f"{step}.*")))

    def wait_for(self, step: str, count: int = 1) -> None:
        while self.count(step) < count:
            assert any(process.poll() is None for process in self.started)
            time.sleep(0.005)

    def go(self) -> None:
        (self.marks / "go").touch()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


def test_a_killed_run_goes_on_from_the_step_that_had_not_finished(place: Place) -> None:
    process = place.start("run", "inline", "chain", "rows=4")
    place.wait_for("second")
    while not _is_recorded(place, "first"):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with site_process.opened(place.site) as world:
        (row,) = unfinished(world.ledger.state)
        assert row["status"] == "running"
        steps = steps_of(world.ledger.state, row["run"])
        assert {name: one["status"] for name, one in steps.items()} == {"first": "finished"}
    place.go()
    done = place.finish(place.start("resume", "inline", "chain", row["run"]))
    assert done["run"] == row["run"]
    assert done["value"] == 12
    assert done["cached"] == ["first"]
    assert (place.count("first"), place.count("second"), place.count("third")) == (1, 2, 1)
    with site_process.opened(place.site) as world:
        assert [line[0] for line in world.ledger.lines()] == list(range(6))
        assert unfinished(world.ledger.state) == ()


def test_two_runs_at_once_compute_a_shared_step_once(place: Place) -> None:
    one = place.start("run", "inline", "sharing", "name=one")
    place.wait_for("shared")
    other = place.start("run", "inline", "sharing", "name=other")
    while not _has_two_runs(place):
        time.sleep(0.01)
    place.go()
    assert place.finish(one)["value"] == "one: 2"
    done = place.finish(other)
    assert done["value"] == "other: 2"
    assert done["cached"] == ["shared"]
    assert place.count("shared") == 1


def _is_recorded(place: Place, step: str) -> bool:
    with site_process.opened(place.site) as world:
        return any(key.endswith(f"/{step}") for key, _ in world.ledger.state.scan("steps"))


def _has_two_runs(place: Place) -> bool:
    with site_process.opened(place.site) as world:
        return len(list(world.ledger.state.scan("runs"))) == 2


def test_when_the_holder_is_killed_the_other_computes(place: Place) -> None:
    one = place.start("run", "inline", "sharing", "name=one")
    place.wait_for("shared")
    other = place.start("run", "inline", "sharing", "name=other")
    while not _has_two_runs(place):
        time.sleep(0.01)
    one.kill()
    place.go()
    assert place.finish(other)["value"] == "other: 2"
    assert place.count("shared") == 2


@pytest.mark.parametrize("engine", ["inline", "subprocess"])
def test_steps_run_in_processes_with_the_same_results(place: Place, engine: str) -> None:
    done = place.finish(place.start("run", engine, "in_processes", "rows=4"))
    assert done["value"] == {"rows": 4, "weight": 4.5}
    assert "said by a step" in done["errors"]
    again = place.finish(place.start("run", "inline", "in_processes", "rows=4"))
    assert again["value"] == done["value"]
    assert sorted(again["cached"]) == ["described", "first", "scaled"]
    assert list((place.site / "objects" / "results").rglob("*")) == [
        place.site / "objects" / "results" / "sha256"
    ]
    with site_process.opened(place.site) as world:
        rows = [row for key, row in world.ledger.state.scan("steps") if key.endswith("described")]
        assert all(row["outputs"][0]["labels"] == {"pii": ""} for row in rows)


def test_a_step_past_its_timeout_is_killed_with_all_it_started(place: Place) -> None:
    done = place.finish(place.start("run", "inline", "too_long"))
    assert done["error"]["code"] == "step.timeout"
    child = place.marks / "child"
    if child.exists():
        assert _ends(int(child.read_text()))


def test_a_failure_in_a_process_is_told_like_one_here(place: Place) -> None:
    told = [
        place.finish(place.start("run", engine, "raising"))["error"]
        for engine in ("inline", "subprocess")
    ]
    assert told[0] == told[1]
    assert told[0]["code"] == "step.raised"
    assert told[0]["because"].startswith("ZeroDivisionError")
    assert "project_steps.py:" in told[0]["because"]


def _ends(process: int) -> bool:
    """Whether a process that was killed goes away, or waits only for its parent's notice."""
    for _ in range(1000):
        try:
            state = Path(f"/proc/{process}/stat").read_text().split(") ")[1]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state.startswith("Z"):
            return True
        time.sleep(0.005)
    return False
