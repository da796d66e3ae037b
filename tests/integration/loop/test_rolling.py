"""Site after site, each by its own look; back again newest first; and blue-green at one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freehold.app.loop.status import status
from freehold.app.release import orders
from freehold.app.release.release import plan_release, release
from freehold.app.release.status import release_status
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import open_site
from freehold.app.site.trusting import trust
from freehold.delivery.decision import Complete, Hold, Promote, Ready, Rollback
from freehold.domain.fact import Draft

FEWEST = 300
NAMES = ("onprem", "aws", "azure")
ORDER = ("aws", "azure", "onprem")
MINUTE = 60
OLD, NEW = {1: 100.0}, {1: 0.0, 2: 100.0}


def made(version: int) -> list[Draft]:
    """The run of a version: without one, nobody knows whether its package may travel."""
    run = f"run-{version}"
    started = {"run": run, "pipeline": "train", "parameters": {}, "steps": 1}
    finished = {
        "run": run,
        "step": "nothing",
        "function": "steps:nothing",
        "key": run,
        "components": {},
        "inputs": [],
        "outputs": [],
        "cached": False,
        "microseconds": 1,
    }
    return [Draft("run.started", started), Draft("step.finished", finished)]


class Three:
    """Three sites that believe each other; the first release serves at all of them."""

    def __init__(self, folder: Path, world: Any) -> None:
        folder.mkdir()
        stores = folder / "stores"
        places = "".join(
            f'  {name}: {{store: {{at: "file://{stores}/{name}"}}}}\n' for name in NAMES
        )
        rolling = "release: {rolling: {soak_minutes: 10, reversal_minutes: 5}}\n"
        file = f"{world.PROJECT}site: onprem\nsites:\n{places}{rolling}"
        (folder / "freehold.yaml").write_text(file)
        (folder / "steps.py").write_text(world.STEPS)
        self.clock = world.Clock()
        self.at = {n: world.Loop(open_site(folder, self.clock, n), self.clock) for n in NAMES}
        for one in NAMES:
            for other in set(NAMES) - {one}:
                key = self.at[other].site.signer.public.fingerprint
                trust(self.at[one].site, other, key)
        for version, bias in ((1, 0.0), (2, 0.5)):
            self.at["onprem"].site.ledger.append(made(version))
            world.register(self.at["onprem"].site, version, bias)
        self.release(1, "immediate")
        self.meet()
        self.turn()

    def release(self, version: int, strategy: Any) -> None:
        site = self.at["onprem"].site
        release(site, plan_release(site, f"delay@{version}", strategy, ORDER))

    def meet(self) -> None:
        for _ in range(3):
            for one in NAMES:
                self.clock.pass_seconds()
                exchange(self.at[one].site)

    def turn(self, *names: str) -> dict[str, Any]:
        return {name: self.at[name].turn().move for name in names or NAMES}

    def wait(self, minutes: int) -> None:
        self.clock.pass_seconds(minutes * MINUTE)

    def shares(self) -> list[dict[int, float]]:
        return [self.at[name].shares() for name in ORDER]

    def serve(self, name: str) -> None:
        """What a batch needs: time and rows, then its word, then the driver's."""
        self.at[name].canary(2, FEWEST)
        self.wait(10)
        assert self.turn(name)[name] is not None
        self.meet()

    def close(self) -> None:
        for one in self.at.values():
            one.site.close()


@pytest.fixture
def three(tmp_path: Path, world: Any) -> Iterator[Three]:
    found = Three(tmp_path / "three", world)
    yield found
    found.close()


def test_site_after_site_each_by_its_own_word(three: Three) -> None:
    assert three.shares() == [OLD, OLD, OLD]
    three.release(2, "rolling")
    three.meet()
    three.turn()
    assert three.shares() == [NEW, OLD, OLD]
    three.at["aws"].canary(2, FEWEST)
    assert three.turn("aws")["aws"] is None, "it has not soaked"
    three.wait(10)
    word = three.turn("aws")["aws"]
    assert word.decision == Ready("aws")
    assert three.at["aws"].told[-1] == "delay@2 is ready at aws, after 300 rows"
    assert three.turn("aws")["aws"] is None, "said once"
    assert three.turn("onprem")["onprem"].decision == Hold("sites", 0, 1, "aws")
    three.meet()
    assert three.turn("onprem")["onprem"].decision == Promote(66)
    three.meet()
    three.turn("azure")
    assert three.shares() == [NEW, NEW, OLD]
    three.serve("azure")
    assert three.turn("onprem")["onprem"].decision == Promote(100)
    three.at["onprem"].canary(2, FEWEST)
    three.wait(10)
    assert three.turn("onprem")["onprem"].decision == Complete()
    three.meet()
    three.turn()
    assert three.shares() == [{2: 100.0}] * 3
    (one,) = release_status(three.at["azure"].site, "delay")["releases"]
    assert (one["status"], one["batches"]) == ("completed", [[name] for name in ORDER])
    kinds = ("release.started", "release.ready", "release.advanced", "release.completed")
    told = [f for name in NAMES for f in three.at[name].facts(*kinds) if f["body"]["version"] == 2]
    told.sort(key=lambda fact: int(fact["time"]["wall"]))
    short = ["started", "ready", "advanced", "ready", "advanced", "ready", "completed"]
    assert [fact["type"].removeprefix("release.") for fact in told] == short


def to_the_second(three: Three) -> None:
    three.release(2, "rolling")
    three.meet()
    three.turn()
    three.serve("aws")
    three.turn("onprem")
    three.meet()
    three.turn()
    assert three.shares() == [NEW, NEW, OLD]


def test_a_failure_reverses_the_sites_newest_first(three: Three, world: Any) -> None:
    to_the_second(three)
    failed = world.asked_rows(20)
    three.at["azure"].answered(2, failed, alias="challenger", error="model.failed")
    assert isinstance(three.turn("azure")["azure"].decision, Rollback)
    assert three.shares() == [NEW, OLD, OLD]
    three.meet()
    three.turn()
    assert three.shares() == [OLD, OLD, OLD]
    three.meet()
    said = [f for name in NAMES for f in three.at[name].facts("release.gone-back")]
    back = {fact["body"]["site"]: fact["time"]["wall"] for fact in said}
    assert sorted(back, key=back.__getitem__) == ["azure", "aws"]
    before = three.at["aws"].count()
    three.turn()
    assert three.at["aws"].count() == before


def test_a_site_that_is_cut_off_keeps_none_from_going_back_for_long(three: Three) -> None:
    to_the_second(three)
    orders.roll_back(three.at["onprem"].site, "delay")
    for name in ("onprem", "aws"):
        three.clock.pass_seconds()
        exchange(three.at[name].site)
    three.turn("onprem", "aws")
    assert three.shares() == [NEW, NEW, OLD], "azure is newer, and has not heard"
    three.wait(5)
    three.turn("aws")
    assert three.shares() == [OLD, NEW, OLD]
    three.meet()
    three.turn()
    assert three.shares() == [OLD, OLD, OLD]


def test_a_failure_at_an_old_site_is_undone_there_at_once(three: Three, world: Any) -> None:
    to_the_second(three)
    failed = world.asked_rows(20)
    three.at["aws"].answered(2, failed, alias="challenger", error="model.failed")
    assert isinstance(three.turn("aws")["aws"].decision, Rollback)
    assert three.shares() == [OLD, NEW, OLD]
    three.meet()
    three.turn("azure")
    assert three.shares() == [OLD, OLD, OLD]


def test_sites_with_the_least_traffic_come_first(three: Three, world: Any) -> None:
    for name, rows in (("onprem", 30), ("aws", 90), ("azure", 60)):
        three.at[name].day(0, rows=rows)
    three.turn()
    three.meet()
    site = three.at["onprem"].site
    file = site.project.root / "freehold.yaml"
    file.write_text(file.read_text().replace("{soak", "{order: traffic, soak"))
    with open_site(site.project.root, three.clock, "onprem") as again:
        plan = plan_release(again, "delay@2", "rolling", NAMES)
        assert plan.venue.sites == ("onprem", "azure", "aws")
        assert plan.steps == (33, 66, 100)
        assert plan_release(again, "delay@2", "canary", NAMES).venue.sites == NAMES


def loaded(loop: Any, number: int = 0) -> None:
    """As an endpoint says it, once it has verified and loaded the table that stands."""
    table = loop.table()
    event = {
        "type": "endpoint.loaded",
        "at": loop.clock.now,
        "model": table.model,
        "routing": number or table.version,
        "variants": [one.as_json() for one in table.variants],
    }
    folder = loop.site.serving / "events"
    folder.mkdir(parents=True, exist_ok=True)
    loop.clock.pass_seconds()
    (folder / f"{loop.clock.now}-1-1.json").write_text(json.dumps(event))


@pytest.fixture
def green(loop_of: Any) -> Any:
    loop = loop_of("release: {blue_green: {keep_minutes: 60}}\n")
    site = loop.site
    done = release(site, plan_release(site, "delay@2", "blue-green"))
    assert (done.weight, loop.shares()) == (0, {1: 100.0, 2: 0.0})
    return loop


def test_green_is_loaded_switched_and_kept_beside_blue(green: Any) -> None:
    before = green.table().version - 1
    loaded(green, before)
    assert green.turn().move.decision == Hold("sites", 0, 1, "local"), "an older table is no proof"
    assert status(green.site)["models"][0]["release"]["weight"] == 0
    loaded(green)
    assert green.turn().move.decision == Promote(100)
    assert green.shares() == NEW
    green.canary(2, FEWEST)
    hold = green.turn().move.decision
    assert (hold.reason, hold.need) == ("time", 3600)
    assert len(green.table().variants) == 2 and green.aliases()["champion"] == 1
    green.clock.pass_seconds(3600)
    assert green.turn().move.decision == Complete()
    assert (green.shares(), green.aliases()) == ({2: 100.0}, {"champion": 2})


def test_guardrails_look_after_the_switch(green: Any, world: Any) -> None:
    loaded(green)
    green.turn()
    green.answered(2, world.asked_rows(20), alias="challenger", error="model.failed")
    move = green.turn().move
    assert move.decision.guardrail == "error-rate"
    assert (green.shares(), green.aliases()) == ({1: 100.0}, {"champion": 1})


def test_a_person_switches_where_no_endpoint_runs(green: Any) -> None:
    plan = orders.plan_promotion(green.site, "delay")
    assert orders.promote(green.site, plan).weight == 100
    assert green.shares() == NEW
