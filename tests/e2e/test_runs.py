"""Runs as processes: killed and resumed, two at once, and the cache switched off at each place."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from freehold.adapters.keys.signer import FileSigner


def wait_for(project: Any, process: Any, marks: list[str]) -> None:
    while project.marks()[: len(marks)] != marks:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)


@pytest.fixture
def held(project: Any) -> Any:
    """The second step waits, with its mark left, until there is a file `go`."""
    project.change(
        "steps.py",
        '    mark("doubled")',
        '    mark("doubled")\n'
        '    while not MARKS.with_name("go").exists():\n'
        "        time.sleep(0.005)",
    )
    project.change("steps.py", "from pathlib import Path", "import time\nfrom pathlib import Path")
    return project


def test_a_killed_run_is_resumed_from_the_step_that_had_not_finished(held: Any) -> None:
    process = held.start("run", "--yes")
    wait_for(held, process, ["numbers", "doubled"])
    # The second step begins while what the first made is being recorded.
    while not any(fact["type"] == "step.finished" for fact in held.entries()):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    held.finish(process)
    (row,) = held.freehold("runs", "--json").json["runs"]
    assert (row["status"], row["finished"]) == ("interrupted", 1)
    assert "interrupted" in held.freehold("status").out
    held.write("go", "")
    said = held.finish(held.start("run", "--resume", "--yes", "--json"))
    assert said.code == 0, said.out + said.err
    assert said.json["run"] == row["run"]
    assert held.marks() == ["numbers", "doubled", "doubled", "total"]
    (row,) = held.freehold("runs", "--json").json["runs"]
    assert (row["status"], row["finished"]) == ("finished", 3)
    finished = [f["body"]["step"] for f in held.entries() if f["type"] == "step.finished"]
    assert sorted(finished) == ["doubled", "numbers", "total"]
    assert held.freehold("audit", "verify").code == 0
    again = held.freehold("run", "--resume", "--yes")
    assert again.code == 1
    assert "error[run.none-unfinished]" in again.err


def test_a_run_that_goes_on_is_not_resumed(held: Any) -> None:
    process = held.start("run", "--yes")
    wait_for(held, process, ["numbers", "doubled"])
    said = held.freehold("run", "--resume", "--yes")
    assert said.code == 1
    assert "error[run.in-progress]" in said.err
    held.write("go", "")
    assert held.finish(process).code == 0


def test_two_runs_at_once_both_finish_and_compute_a_shared_step_once(held: Any) -> None:
    one = held.start("run", "--yes", "--json")
    wait_for(held, one, ["numbers", "doubled"])
    other = held.start("run", "--yes", "--json")
    while held.types().count("run.started") < 2:
        assert other.poll() is None, other.stderr.read()
        time.sleep(0.01)
    held.write("go", "")
    said = [held.finish(process) for process in (one, other)]
    assert [one.code for one in said] == [0, 0], [one.err for one in said]
    assert held.marks() == ["numbers", "doubled", "total"]
    assert len({one.json["run"] for one in said}) == 2
    assert {row["status"] for row in held.freehold("runs", "--json").json["runs"]} == {"finished"}
    assert held.freehold("audit", "verify").code == 0


def test_two_first_runs_at_once_in_a_new_project_both_finish(project: Any) -> None:
    """Both would make the site's key, its ledger and its first entry."""
    both = [project.start("run", "--yes") for _ in range(2)]
    said = [project.finish(process) for process in both]
    assert [one.code for one in said] == [0, 0], [one.err for one in said]
    assert sorted(project.marks()) == ["doubled", "numbers", "total"]
    assert project.types().count("site.opened") == 1
    assert project.freehold("audit", "verify").code == 0


def test_a_second_run_is_cached_and_one_without_the_cache_is_not(project: Any) -> None:
    first = project.freehold("run", "--yes", "--json").json
    assert project.freehold("run", "--yes").code == 0
    assert project.marks() == ["numbers", "doubled", "total"]
    assert [row["action"] for row in plan(project)] == ["cached"] * 3
    assert [row["action"] for row in plan(project, "--no-cache")] == ["run"] * 3
    third = project.freehold("run", "--yes", "--no-cache", "--json").json
    assert project.marks() == ["numbers", "doubled", "total"] * 2
    assert not any(step["cached"] for step in third["steps"].values())
    assert outputs(first) == outputs(third)
    assert project.freehold("run", "--yes").code == 0
    assert len(project.marks()) == 6


def test_the_cache_is_off_for_one_step(project: Any) -> None:
    project.change("steps.py", "@step\ndef doubled", "@step(cache=False)\ndef doubled")
    assert project.freehold("run", "--yes").code == 0
    assert {row["step"]: row["action"] for row in plan(project)} == {
        "numbers": "cached",
        "doubled": "run",
        "total": "depends",
    }
    assert project.freehold("run", "--yes").code == 0
    assert project.marks() == ["numbers", "doubled", "total", "doubled"]


def test_the_cache_is_off_for_the_project(project: Any) -> None:
    assert project.freehold("run", "--yes").code == 0
    project.change("freehold.yaml", "policies: policies", "policies: policies\ncache: false")
    assert [row["action"] for row in plan(project)] == ["run"] * 3
    assert project.freehold("run", "--yes").code == 0
    assert project.marks() == ["numbers", "doubled", "total"] * 2


def test_what_changed_runs_and_the_plan_says_why(project: Any) -> None:
    assert project.freehold("run", "--yes").code == 0
    rows = plan(project, "--set", "rows=5")
    assert [row["action"] for row in rows] == ["run", "depends", "depends"]
    assert "parameters" in json.dumps(rows[0]["reasons"])
    project.change("steps.py", "* 2", "* 3")
    rows = plan(project)
    assert [row["action"] for row in rows] == ["run", "run", "run"]
    assert "code" in json.dumps(rows[0]["reasons"])


def plan(project: Any, *more: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = project.freehold("plan", "--json", *more).json["steps"]
    return rows


def outputs(run: dict[str, Any]) -> dict[str, list[str]]:
    return {
        name: [output["digest"] for output in step["outputs"]]
        for name, step in run["steps"].items()
    }


def test_a_site_begun_by_another_at_the_same_moment(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other makes key and ledger after this one has looked and found none."""
    create = FileSigner.create

    def too_late(path: Path) -> FileSigner:
        assert project.finish(project.start("run", "--yes")).code == 0
        return create(path)

    monkeypatch.setattr(FileSigner, "create", too_late)
    said = project.freehold("run", "--yes")
    assert said.code == 0, said.err
    assert project.types().count("site.opened") == 1
    assert project.marks() == ["numbers", "doubled", "total"]
    assert project.freehold("audit", "verify").code == 0
