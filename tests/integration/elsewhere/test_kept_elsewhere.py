"""What lies at another site only is not made anew: its crossing is planned, and paid."""

from typing import Any

import pytest

from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.domain.placement import Place

AWS, AZURE = Place("aws", "m5.xlarge"), Place("azure", "D4s")
MACHINES = {
    "onprem": "desk: {cpus: 1, memory: 4 GiB, price: 5.0}",
    "aws": "m5.xlarge: {cpus: 4, memory: 16 GiB, price: 9.0, boot_seconds: 60}",
    "azure": "D4s: {cpus: 4, memory: 16 GiB, price: 20.0}",
}


def with_machines(world: Any) -> None:
    file = world["onprem"].root / "freehold.yaml"
    text = file.read_text()
    for site, machines in MACHINES.items():
        text = text.replace(f"  {site}:\n", f"  {site}:\n    machines: {{{machines}}}\n")
    text = text.replace("  aws:\n", "  aws:\n    provider: aws\n    region: eu-north-1\n")
    file.write_text(text)


def test_what_lies_elsewhere_is_planned_from_there_and_carried_out_so(world: Any) -> None:
    world["aws"].start()
    world["azure"].start()
    first = world.run("chain", {"numbers": AWS, "squares": AZURE})
    (made,) = first.outcome.steps["numbers"].outputs
    with_machines(world)
    with world["onprem"].open() as site:
        assert not site.artifacts.holds(made.digest)
        planned = plan_run(site, "chain")
    placed = planned.plan.placed
    assert placed is not None
    numbers = placed.step("numbers")
    assert (numbers.place, numbers.money, numbers.seconds) == (AWS, 0.0, 0.0)
    assert numbers.figures["work"].source.endswith("lies at aws, as the history says")
    assert numbers.runner_up is not None
    assert numbers.runner_up.money > 0
    (crossing,) = [one for one in placed.crossings if one.output == "numbers.0"]
    assert crossing.origin == "aws"
    assert crossing.size.value == made.size
    assert made.digest in crossing.size.source
    assert crossing.price.value > 0
    assert crossing.money == pytest.approx(made.size / 1e9 * crossing.price.value)
    with world["onprem"].open() as site:
        finished = run(site, planned, elsewhere=world.quick)
    assert world["aws"].marks == ["numbers"]
    assert finished.outcome.steps["numbers"].cached


def test_no_cache_makes_anew_what_lies_elsewhere(world: Any) -> None:
    world["aws"].start()
    world.run("chain", {"numbers": AWS, "squares": AWS})
    with_machines(world)
    with world["onprem"].open() as site:
        placed = plan_run(site, "chain", cache=False).plan.placed
    assert placed is not None
    assert placed.step("numbers").money > 0
