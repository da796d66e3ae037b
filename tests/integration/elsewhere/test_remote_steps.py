"""Steps of one run at several sites."""

from typing import Any

from freehold.domain.placement import Place

AWS, AZURE = Place("aws", "m5.xlarge"), Place("azure", "D4s")


def test_a_step_runs_at_the_site_that_the_plan_names(world: Any) -> None:
    world["aws"].start()
    finished = world.run("chain", {"squares": AWS})
    assert world.value(finished) == 30
    assert world["aws"].marks == ["squares"]
    assert world["onprem"].marks == ["numbers", "total"]
    told = {one["step"]: (one["site"], one["machine"]) for one in world.bodies("step.finished")}
    assert told == {
        "numbers": ("onprem", ""),
        "squares": ("aws", "m5.xlarge"),
        "total": ("onprem", ""),
    }
    (asked,) = world.bodies("work.requested")
    assert asked["run"] == finished.outcome.run
    said = [(one.step, one.status, one.detail.get("site")) for one in world.seen]
    assert ("squares", "asked", "aws") in said
    assert ("squares", "finished", "aws") in said
