"""Site after site and region after region, each by its own look; back again newest first; and
blue-green at one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.app.loop.status import status
from freehold.app.release import orders
from freehold.app.release.release import plan_release, release
from freehold.app.release.status import release_status
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import open_site
from freehold.app.traffic.labels import add_labels
from freehold.cli import release as release_command
from freehold.delivery.decision import Complete, Hold, Promote, Ready, Rollback
from tests.rolling_sites import FEWEST, NAMES, NEW, OLD, ORDER, Three


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


BY_REGION = "by_region: true, steps: [5, 100], metrics: {revenue: {drop: 9}}, "
TRIAL = "ab_test: {metric: revenue, early: true, then: winner}, "
FEW = {1: 95.0, 2: 5.0}


@pytest.fixture
def regions(tmp_path: Path, world: Any) -> Iterator[Three]:
    found = Three(tmp_path / "regions", world, BY_REGION + TRIAL)
    yield found
    found.close()


def soaks(sites: Three) -> None:
    """The first region, which has all of its traffic on the version, soaks and hands over."""
    assert sites.shares() == [NEW, NEW, OLD]
    for name in ("aws", "azure"):
        sites.at[name].canary(2, FEWEST)
    sites.wait(10)
    assert sites.turn("aws")["aws"].decision == Hold("sites", 1, 2, "azure")
    sites.meet()
    assert sites.turn("azure")["azure"].decision == Ready("azure")
    assert sites.turn("onprem")["onprem"] is None
    sites.meet()
    assert isinstance(sites.turn("aws")["aws"].decision, Promote)
    sites.meet()
    sites.turn()


def test_a_canary_takes_its_steps_in_one_region_after_the_other(regions: Three) -> None:
    regions.release(2, "canary")
    regions.meet()
    regions.turn()
    assert regions.shares() == [FEW, FEW, OLD]
    regions.at["onprem"].canary(1, FEWEST, alias="champion")
    regions.at["aws"].canary(2, FEWEST)
    assert regions.turn("onprem")["onprem"] is None, "it does not lead, nor see the version"
    assert regions.turn("aws")["aws"].decision == Promote(100)
    regions.meet()
    regions.turn()
    soaks(regions)
    assert regions.shares() == [NEW, NEW, FEW]
    regions.at["onprem"].canary(2, FEWEST)
    assert regions.turn("onprem")["onprem"].decision == Promote(100)
    regions.at["onprem"].canary(2, FEWEST)
    regions.wait(10)
    assert regions.turn("onprem")["onprem"].decision == Complete()
    regions.meet()
    regions.turn()
    assert regions.shares() == [{2: 100.0}] * 3
    (one,) = release_status(regions.at["azure"].site, "delay")["releases"]
    assert (one["batches"], one["steps"]) == ([["aws", "azure"], ["onprem"]], [5, 100, 5, 100])


def test_a_failure_in_a_later_region_takes_the_earlier_ones_back(
    regions: Three, world: Any
) -> None:
    regions.release(2, "canary")
    regions.meet()
    regions.turn()
    regions.at["aws"].canary(2, FEWEST)
    regions.turn("aws")
    regions.meet()
    regions.turn()
    soaks(regions)
    failed = world.asked_rows(20)
    regions.at["onprem"].answered(2, failed, alias="challenger", error="model.failed")
    assert isinstance(regions.turn("onprem")["onprem"].decision, Rollback)
    assert regions.shares() == [NEW, NEW, OLD]
    regions.meet()
    regions.turn()
    assert regions.shares() == [OLD, OLD, OLD]
    regions.meet()
    said = [f for name in NAMES for f in regions.at[name].facts("release.gone-back")]
    back = {fact["body"]["site"]: fact["time"]["wall"] for fact in said}
    assert min(back, key=back.__getitem__) == "onprem" and set(back) == set(NAMES)


def earns(site: Any, version: int, mean: float, world: Any, rows: int = 900) -> None:
    number = site.table().version
    answered = site.answered(version, world.asked_rows(rows), routing=number)
    revenue = pl.Series(np.random.default_rng(version).exponential(mean, rows))
    known = answered.with_columns(
        label=pl.lit(1), labelled_at=pl.lit(world.MONDAY), revenue=revenue
    )
    add_labels(site.site, "delay", known)


def test_a_trial_is_of_the_rows_of_its_own_region(regions: Three, world: Any) -> None:
    regions.release(2, "ab-test")
    regions.meet()
    regions.turn()
    half = {1: 50.0, 2: 50.0}
    assert regions.shares() == [half, half, OLD]
    earns(regions.at["onprem"], 1, 90.0, world)
    for version, mean in ((1, 3.0), (2, 6.0)):
        earns(regions.at["aws"], version, mean, world)
    assert regions.turn("aws")["aws"].decision.winner == "version"
    assert regions.turn("aws")["aws"].decision == Promote(100)
    regions.meet()
    regions.turn()
    soaks(regions)
    assert regions.shares() == [NEW, NEW, half]
    assert regions.turn("onprem")["onprem"].decision.reason == "time"
    for version, mean in ((1, 3.0), (2, 6.0)):
        earns(regions.at["onprem"], version, mean, world)
    told = regions.turn("onprem")["onprem"].decision
    # What the champion earned there before its region's turn would have made it the winner.
    assert (told.winner, told.effect.count) == ("version", 900)


def test_the_region_with_the_least_risk_comes_first(regions: Three, capsys: Any) -> None:
    for name, rows in (("onprem", 60), ("aws", 90), ("azure", 30)):
        regions.at[name].day(0, rows=rows)
    regions.turn()
    regions.meet()
    site = regions.at["onprem"].site
    file = site.project.root / "freehold.yaml"
    written = file.read_text()

    def planned(rolling: str) -> Any:
        file.write_text(written.replace("{soak", f"{{{rolling}, soak"))
        with open_site(site.project.root, regions.clock, "onprem") as again:
            return plan_release(again, "delay@2", "canary", ORDER)

    declared = (("aws", "azure"), ("onprem",))
    assert planned("order: declared").venue.stages == declared
    assert planned("order: risk").venue.stages == declared[::-1]
    assert planned("order: risk").as_json()["stages"] == [["onprem"], ["aws", "azure"]]
    release_command._show(planned("order: risk"))
    told = "region after region: onprem → aws, azure, each after 10 minutes at 100 %"
    assert told in capsys.readouterr().out
    assert planned("at_most: 50").venue.stages == (("aws",), ("azure",), ("onprem",))
    assert planned("batch: 2").venue.stages == ()
    assert planned("batch: 2, at_most: 60").venue.stages == (("aws",), ("azure", "onprem"))


def test_where_a_release_failed_is_a_greater_risk(regions: Three, world: Any) -> None:
    for name in NAMES:
        regions.at[name].day(0, rows=50)
    regions.turn()
    regions.meet()
    site = regions.at["onprem"].site
    file = site.project.root / "freehold.yaml"
    apart = file.read_text().replace(", region: eu", "").replace("{soak", "{order: risk, soak")
    file.write_text(apart)

    def order() -> tuple[str, ...]:
        with open_site(site.project.root, regions.clock, "onprem") as again:
            return plan_release(again, "delay@2", "rolling", ORDER).venue.sites

    assert order() == ORDER, "nothing tells them apart"
    regions.release(2, "rolling")
    regions.meet()
    regions.turn()
    failed = world.asked_rows(20)
    regions.at["aws"].answered(2, failed, alias="challenger", error="model.failed")
    assert isinstance(regions.turn("aws")["aws"].decision, Rollback)
    regions.meet()
    # It served at azure meanwhile, and never came to onprem.
    assert order() == ("azure", "onprem", "aws")


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
