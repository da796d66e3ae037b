"""Machines that are taken away in the middle of a step that saves checkpoints."""

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from freehold.domain.errors import StepFailed
from freehold.domain.placement import Place

AWS, AZURE = Place("aws", "m5.xlarge", spot=True), Place("azure", "D4s", spot=True)


def in_the_middle(world: Any, eventually: Any, machine: str = "aws") -> None:
    """It has done three iterations, and what it saved is recorded here too."""
    eventually(lambda: "held" in world[machine].marks)
    eventually(lambda: len(world.bodies("step.checkpointed")) == 3)


def has_ended(machine: Any) -> bool:
    """Whether the process that held a step is gone; one that nobody waits for is a zombie."""
    try:
        said = Path(f"/proc/{(machine.root / 'pid').read_text()}/stat").read_text()
    except FileNotFoundError:
        return True
    return said.rpartition(")")[2].split()[0] == "Z"


class Driven:
    """A run that is driven in a thread of this process."""

    def __init__(self, world: Any, pipeline: str, places: Any, settings: Any) -> None:
        self.finished: Any = None
        self._error: StepFailed | None = None

        def drive() -> None:
            try:
                self.finished = world.run(pipeline, places, settings)
            except StepFailed as error:
                self._error = error

        self._thread = Thread(target=drive)
        self._thread.start()

    def value(self, world: Any) -> Any:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return world.value(self.finished)


def test_a_killed_machines_step_goes_on_at_another_site_from_its_checkpoint(
    world: Any, eventually: Any
) -> None:
    began = time.monotonic()
    (world["aws"].root / "hold").touch()
    agent = world["aws"].start()
    world["azure"].start()
    asked: list[tuple[str, Place]] = []

    def elsewhere(step: str, lost: Place) -> Place:
        asked.append((step, lost))
        return AZURE

    driven = Driven(world, "counting", {"counted": AWS}, replace(world.quick, replace=elsewhere))
    in_the_middle(world, eventually)
    world.kill(agent)
    assert driven.value(world) == [3, 3, 15]
    assert asked == [("counted", AWS)]
    assert [one for one in world["azure"].marks if one.startswith("iteration")] == [
        f"iteration-{number}" for number in (4, 5, 6)
    ]
    (lost,) = world.bodies("step.interrupted")
    run = driven.finished.outcome.run
    # Its machine went without a word: it took as long as it was seen to hold the step.
    assert 0 < lost.pop("microseconds") < (time.monotonic() - began) * 1e6
    assert lost == {
        "attempt": 1,
        "machine": "m5.xlarge",
        "spot": True,
        "run": run,
        "site": "aws",
        "step": "counted",
    }
    made = {one["step"]: one for one in world.bodies("step.finished")}
    assert (made["counted"]["site"], made["counted"]["machine"]) == ("azure", "D4s")
    assert made["counted"]["run"] == run
    assert world.bodies("step.failed") == []
    assert world["onprem"].marks == ["numbers"], "only the lost step was redone"


def test_without_a_planner_it_goes_on_where_the_run_is_driven(world: Any, eventually: Any) -> None:
    (world["aws"].root / "hold").touch()
    agent = world["aws"].start()
    driven = Driven(world, "counting", {"counted": AWS}, world.quick)
    in_the_middle(world, eventually)
    world.kill(agent)
    assert driven.value(world) == [3, 3, 15]
    assert world["onprem"].marks == ["numbers", "iteration-4", "iteration-5", "iteration-6"]


def test_an_agent_that_is_told_gives_its_step_back_at_once(world: Any, eventually: Any) -> None:
    """It gives back long before its lease has run out, and its process is gone."""
    (world["aws"].root / "hold").touch()
    agent = world["aws"].start(lease=600)
    driven = Driven(world, "counting", {"counted": AWS}, world.quick)
    in_the_middle(world, eventually)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait() == 0
    assert driven.value(world) == [3, 3, 15]
    assert [one["work"] for one in world.bodies("lease.released")] == [
        one["work"] for one in world.bodies("work.cancelled")
    ]
    (world["aws"].root / "hold").unlink()
    assert "iteration-4" not in world["aws"].marks, "nobody went on there"


def test_the_same_site_goes_on_where_another_agent_takes_over(world: Any, eventually: Any) -> None:
    """Another machine, with another state: the checkpoint comes by the site's store."""
    (world["aws"].root / "hold").touch()
    agent = world["aws"].start()
    settings = replace(world.quick, patience=60.0)
    driven = Driven(world, "counting", {"counted": Place("aws", "m5.xlarge")}, settings)
    in_the_middle(world, eventually)
    world.kill(agent)
    world["second"].start()
    assert driven.value(world) == [3, 3, 15]
    assert world.bodies("step.interrupted") == []
    assert len(world.bodies("work.requested")) == 1


def test_a_checkpoint_that_does_not_verify_is_passed_over(world: Any, eventually: Any) -> None:
    (world["aws"].root / "hold").touch()
    agent = world["aws"].start()
    settings = replace(world.quick, patience=60.0)
    driven = Driven(world, "counting", {"counted": Place("aws")}, settings)
    in_the_middle(world, eventually)
    world.kill(agent)
    newest = max(world.bodies("step.checkpointed"), key=lambda one: one["number"])
    digest = newest["artifact"].rpartition(":")[2]
    for path in world.folder.rglob(digest):
        path.write_bytes(b"9,9")
    world["second"].start()
    assert driven.value(world) == [2, 4, 15]


def test_a_step_that_runs_here_resumes_from_its_checkpoint(world: Any, eventually: Any) -> None:
    (world["onprem"].root / "hold").touch()
    driver = world.drive("counting", {})
    eventually(lambda: "held" in world["onprem"].marks)
    world.kill(driver)
    eventually(lambda: has_ended(world["onprem"]))
    (world["onprem"].root / "hold").unlink()
    finished = world.resume({})
    assert world.value(finished) == [3, 3, 15]
    numbers = [one["number"] for one in world.bodies("step.checkpointed")]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_a_step_in_a_process_of_its_own_does_too(world: Any, eventually: Any) -> None:
    file = world["onprem"].root / "freehold.yaml"
    file.write_text(file.read_text() + "engine: subprocess\n")
    test_a_step_that_runs_here_resumes_from_its_checkpoint(world, eventually)


@pytest.mark.parametrize("changed", ["given[done]", "2 * given[done]"])
def test_a_checkpoint_of_other_code_is_not_gone_on_with(
    world: Any, eventually: Any, changed: str
) -> None:
    (world["onprem"].root / "hold").touch()
    driver = world.drive("counting", {})
    eventually(lambda: "held" in world["onprem"].marks)
    world.kill(driver)
    (world["onprem"].root / "hold").unlink()
    file = world["onprem"].root / "steps.py"
    file.write_text(file.read_text().replace("+= given[done]", f"+= {changed}"))
    finished = world.resume({})
    same = changed == "given[done]"
    assert world.value(finished) == ([3, 3, 15] if same else [0, 6, 30])


def keep_numbers_in_the_eu(world: Any) -> None:
    for machine in world.machines.values():
        file = machine.root / "steps.py"
        label = '@step(labels={"residency": "EU"})'
        file.write_text(file.read_text().replace("@step\ndef numbers", f"{label}\ndef numbers"))


def test_checkpoints_bear_labels_and_stay_where_these_keep_them(
    world: Any, eventually: Any
) -> None:
    """Made at azure of data that stays in the EU: aws, which may read the EU's stores, never gets
    it, and the step goes on at home."""
    keep_numbers_in_the_eu(world)
    (world["azure"].root / "hold").touch()
    agent = world["azure"].start()
    driven = Driven(world, "counting", {"counted": AZURE}, world.quick)
    in_the_middle(world, eventually, "azure")
    assert {json.dumps(one["labels"]) for one in world.bodies("step.checkpointed")} == {
        '{"residency": "EU"}'
    }
    world.kill(agent)
    assert driven.value(world) == [3, 3, 15]
    assert world.stored("aws/artifacts") == world.stored("aws/packs") == []


def test_a_planner_that_answers_with_a_barred_place_is_passed(world: Any, eventually: Any) -> None:
    keep_numbers_in_the_eu(world)
    (world["azure"].root / "hold").touch()
    agent = world["azure"].start()
    settings = replace(world.quick, replace=lambda _step, _lost: Place("aws"))
    driven = Driven(world, "counting", {"counted": AZURE}, settings)
    in_the_middle(world, eventually, "azure")
    world.kill(agent)
    assert driven.value(world) == [3, 3, 15]
    assert "iteration-6" in world["onprem"].marks
    assert world.stored("aws/artifacts") == world.stored("aws/packs") == []
