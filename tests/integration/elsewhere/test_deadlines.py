"""A step on spot leaves it in time, whatever the market does."""

import time
from dataclasses import replace
from typing import Any

from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.domain.placement import Place

SPOT, SURE = Place("aws", "m5.xlarge", spot=True), Place("azure", "D4s")
MACHINES = {
    "onprem": "desk: {cpus: 1, memory: 4 GiB, price: 0.05}",
    "aws": "m5.xlarge: {cpus: 4, memory: 16 GiB, price: 9.0, spot_price: 0.1, spot: true,"
    " interruptions: 0.1}",
    "azure": "D4s: {cpus: 4, memory: 16 GiB, price: 1.0}",
}


def with_machines(world: Any, deadline: float) -> None:
    """`counted` needs more than the driver has, takes a minute, and has so many seconds."""
    for machine in world.machines.values():
        steps = machine.root / "steps.py"
        needs = "@step(cpus=2, resumes=True, seconds=60)"
        steps.write_text(steps.read_text().replace("@step(resumes=True)", needs))
    file = world["onprem"].root / "freehold.yaml"
    text = file.read_text()
    for site, machines in MACHINES.items():
        text = text.replace(f"  {site}:\n", f"  {site}:\n    machines: {{{machines}}}\n")
    assumed = f"assumed_seconds: 1\n  deadline_hours: {deadline / 3600}"
    file.write_text(f"{text}placement:\n  {assumed}\n")


def carried_out(world: Any, told: list[str]) -> Any:
    with world["onprem"].open() as site:
        planned = plan_run(site, "counting")
        assert planned.places["counted"] == SPOT
        return run(site, planned, elsewhere=replace(world.quick, tell=told.append))


def test_a_place_that_gives_no_machine_is_left_while_there_is_time(world: Any) -> None:
    """Nobody runs what is asked of aws: the step goes to the machine that ends it in time."""
    with_machines(world, deadline=63.0)
    world["azure"].start()
    told: list[str] = []
    finished = carried_out(world, told)
    assert world.value(finished) == [0, 6, 15]
    (left,) = world.bodies("step.interrupted")
    assert (left["site"], left["spot"]) == ("aws", True)
    ended = {one["step"]: one for one in world.bodies("step.finished")}["counted"]
    assert (ended["site"], ended["machine"]) == (SURE.site, SURE.machine)
    assert "step counted at aws: waits for an agent" in told
    assert len(world.bodies("work.cancelled")) == 1


def test_a_step_that_is_taken_from_spot_too_late_for_more_goes_where_it_stays(
    world: Any, eventually: Any
) -> None:
    """It comes with what it has saved, whoever has been asked for it meanwhile."""
    with_machines(world, deadline=66.0)
    (world["aws"].root / "hold").touch()
    world["aws"].start()
    world["azure"].start()
    finished = carried_out(world, [])
    assert world.value(finished) == [3, 3, 15], "three iterations were saved at aws"
    marks = [one for one in world["azure"].marks if one.startswith("iteration")]
    assert marks == ["iteration-4", "iteration-5", "iteration-6"]
    (world["aws"].root / "hold").unlink()
    time.sleep(1.0)
    assert len(world.bodies("step.finished")) == len({"numbers", "counted"})


def test_without_a_deadline_it_waits(world: Any, eventually: Any) -> None:
    with_machines(world, deadline=100_000.0)
    world["azure"].start()
    with world["onprem"].open() as site:
        planned = plan_run(site, "counting")
    driver = world.drive("counting", {"counted": SPOT})
    eventually(lambda: len(world.bodies("work.requested")) == 1)
    time.sleep(3.0)
    assert planned.places["counted"] == SPOT
    assert world.bodies("step.interrupted") == []
    world["aws"].start()
    eventually(lambda: len(world.bodies("step.finished")) == len({"numbers", "counted"}))
    assert driver.wait() == 0
