"""Steps of one run at several sites."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from freehold.app.costs.rows import usage_frames
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.domain.artifact import object_key
from freehold.domain.errors import StepFailed
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


def test_the_agent_says_on_which_machine_it_really_ran(world: Any, monkeypatch: Any) -> None:
    """The plan has m5.xlarge on spot: another machine is another price, and not spot."""
    monkeypatch.setenv("FREEHOLD_MACHINE", "m5.large")
    world["aws"].start()
    monkeypatch.delenv("FREEHOLD_MACHINE")
    world.run("chain", {"squares": replace(AWS, spot=True)})
    told = {one["step"]: one for one in world.bodies("step.finished")}["squares"]
    assert (told["site"], told["machine"], told["spot"]) == ("aws", "m5.large", False)
    with world["onprem"].open() as site:
        done = (pl.col("x_Site") == "aws") & (pl.col("x_Kind") == "step")
        (row,) = usage_frames(site).filter(done).collect().to_dicts()
    assert (row["SkuId"], row["PricingCategory"], row["x_Step"]) == (
        "m5.large",
        "Standard",
        "squares",
    )


def test_a_sites_only_machine_is_the_one_that_it_ran_on(world: Any) -> None:
    file = world["aws"].root / "freehold.yaml"
    box = "    machines: {box: {cpus: 2, memory: 8 GiB, price: 1}}\n"
    file.write_text(file.read_text().replace("  aws:\n", f"  aws:\n{box}"))
    world["aws"].start()
    world.run("chain", {"squares": AWS})
    told = {one["step"]: one for one in world.bodies("step.finished")}["squares"]
    assert (told["site"], told["machine"]) == ("aws", "box")


def test_what_only_other_sites_read_does_not_pass_the_driver(world: Any) -> None:
    world["aws"].start()
    world["azure"].start()
    finished = world.run("chain", {"numbers": AWS, "squares": AZURE})
    assert world.value(finished) == 30
    (made,) = finished.outcome.steps["numbers"].outputs
    with world["onprem"].open() as site:
        assert not site.artifacts.holds(made.digest)
    with world["azure"].open() as site:
        assert site.artifacts.holds(made.digest)
    assert world["onprem"].marks == ["total"]
    assert [one["back"] for one in world.bodies("work.requested")] == [False, True]


def test_steps_elsewhere_take_no_place_of_those_that_run_here(world: Any) -> None:
    """onprem has two places; three steps are asked of others at once."""
    for name in ("aws", "azure", "second"):
        world[name].start()
    places = {"squares": AWS, "squares-2": AZURE, "numbers-2": AWS, "total-2": AZURE}
    finished = world.run("wide", places)
    assert len(finished.outcome.steps) == 6
    with world["onprem"].open() as site:
        first, second, third = finished.outcome.result
        assert site.artifacts.get(first.digest) == b"3"
        assert site.artifacts.get(second.digest) == b"5"
        assert site.artifacts.get(third.digest) == b"[0,1,4,9]"


def test_a_second_run_asks_nobody_where_the_outputs_are_here(world: Any) -> None:
    world["aws"].start()
    world.run("chain", {"squares": AWS})
    again = world.run("chain", {"squares": AWS})
    assert all(one.cached for one in again.outcome.steps.values())
    assert len(world.bodies("work.requested")) == 1


def test_a_site_that_made_it_before_does_not_make_it_again(world: Any) -> None:
    """The driver has no bytes of it: it asks, and the site answers from its own store."""
    world["aws"].start()
    world["azure"].start()
    places = {"numbers": AWS, "squares": AZURE}
    world.run("chain", places)
    with world["onprem"].open() as site:
        for row in [row for _, row in site.state.scan("cache")]:
            for one in row["outputs"]:
                site.objects.delete(object_key(one["digest"]))
    again = world.run("chain", places)
    assert world.value(again) == 30
    assert world["aws"].marks == ["numbers"]
    assert world["azure"].marks == ["squares"]
    assert again.outcome.steps["numbers"].cached


def test_a_step_that_fails_there_is_tried_again_and_told_here(world: Any) -> None:
    world["aws"].start()
    with pytest.raises(StepFailed) as caught:
        world.run("failing", {"broken": AWS})
    assert caught.value.code == "step.raised"
    assert "it broke on 2" in caught.value.why
    assert world["aws"].marks == ["broken", "broken"]
    assert [one["attempt"] for one in world.bodies("step.failed")] == [1, 2]
    for name in world.machines:
        with world[name].open() as site:
            lines = b"".join(
                line for log in site.ledger.logs() for _, line in site.ledger.log_lines(log.writer)
            )
            assert b"it broke" not in lines


def test_a_failed_run_is_resumed_and_asks_anew(world: Any) -> None:
    world["aws"].start()
    with pytest.raises(StepFailed):
        world.run("failing", {"broken": AWS})
    with pytest.raises(StepFailed):
        world.resume({"broken": AWS})
    assert world["aws"].marks == ["broken"] * 4
    assert len({one["work"] for one in world.bodies("work.requested")}) == 4


def test_a_checkout_with_other_code_refuses(world: Any) -> None:
    file = world["aws"].root / "steps.py"
    file.write_text(file.read_text().replace("one * one", "one * two"))
    world["aws"].start()
    with pytest.raises(StepFailed) as caught:
        world.run("chain", {"squares": AWS})
    assert caught.value.code == "step.code-differs"
    assert world["aws"].marks == []


def test_the_driver_is_killed_and_the_run_goes_on_with_the_same_work(
    world: Any, eventually: Any
) -> None:
    (world["aws"].root / "hold").touch()
    world["aws"].start()
    driver = world.drive("chain", {"squares": AWS})
    eventually(lambda: world["aws"].marks == ["squares"])
    world.kill(driver)
    (world["aws"].root / "hold").unlink()
    eventually(lambda: [e for e in world["aws"].told() if e["event"] == "work.completed"])
    finished = world.resume({"squares": AWS})
    assert world.value(finished) == 30
    assert world["aws"].marks == ["squares"]
    assert world["onprem"].marks == ["numbers", "total"]
    assert len(world.bodies("work.requested")) == 1
    assert len([one for one in world.bodies("step.finished") if one["step"] == "squares"]) == 1


def test_another_agent_of_the_site_takes_over_from_one_that_was_killed(
    world: Any, eventually: Any
) -> None:
    (world["aws"].root / "hold").touch()
    agent = world["aws"].start()
    driver = world.drive("chain", {"squares": AWS}, patience=60)
    eventually(lambda: world["aws"].marks == ["squares"])
    world.kill(agent)
    world["second"].start()
    eventually(lambda: driver.poll() is not None)
    assert driver.returncode == 0
    assert world["second"].marks == ["squares"]
    finished = world.run("chain", {"squares": AWS})
    assert world.value(finished) == 30


def test_labels_keep_a_step_from_a_site_and_nothing_is_asked(world: Any) -> None:
    with pytest.raises(StepFailed) as caught:
        world.run("labelled", {"length": AWS})
    assert caught.value.code == "label.barred"
    assert "residency=EU" in caught.value.why
    assert world.bodies("work.requested") == []
    assert world.stored("aws/artifacts") == world.stored("aws/packs") == []


def test_what_a_step_makes_may_keep_it_from_a_site_too(world: Any) -> None:
    with pytest.raises(StepFailed) as caught:
        world.run("labelled", {"people": AWS})
    assert caught.value.code == "label.barred"
    assert world.bodies("work.requested") == []


def test_labels_let_a_step_go_where_they_allow_it(world: Any) -> None:
    world["azure"].start()
    finished = world.run("labelled", {"length": AZURE})
    assert world.value(finished) == 4
    assert world["azure"].marks == ["length"]
    assert world.stored("aws/artifacts") == world.stored("aws/packs") == []


def test_a_site_refuses_what_its_own_rules_forbid(world: Any) -> None:
    """Its checkout says that it is elsewhere than the driver's says."""
    file = world["azure"].root / "freehold.yaml"
    text = file.read_text()
    file.write_text(text.replace("jurisdiction: EU\n    keys", "jurisdiction: US\n    keys"))
    world["azure"].start()
    with pytest.raises(StepFailed) as caught:
        world.run("labelled", {"length": AZURE})
    assert caught.value.code == "label.barred"
    with world["azure"].open() as site:
        (made,) = [one for row in world.bodies("step.finished") for one in row["outputs"]]
        assert not site.artifacts.holds(made["digest"])
    assert world["azure"].marks == []


def test_a_store_that_is_away_is_waited_for(world: Any) -> None:
    """The folder of the site that is asked vanishes, and comes back."""
    store, said = world.folder / "stores" / "aws", []
    world["aws"].start()
    world.run("chain", {"squares": AWS})
    store.rename(store.with_suffix(".away"))
    store.touch()

    def told(text: str) -> None:
        said.append(text)
        if "not reached" in text:
            store.unlink()
            store.with_suffix(".away").rename(store)

    with world["onprem"].open() as site:
        planned = replace(plan_run(site, "chain", {"count": 6}), places={"squares": AWS})
        finished = run(site, planned, elsewhere=replace(world.quick, tell=told))
    assert world.value(finished) == 55
    assert any("not reached: aws" in text for text in said)
    assert "all stores are reached again" in said
