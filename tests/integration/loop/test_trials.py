"""Trials of two versions against each other, by what their answers led to."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.app.history.facts import facts_of
from freehold.app.history.telling import telling
from freehold.app.loop.canary import spoken
from freehold.app.release import orders
from freehold.app.release.release import plan_release, release
from freehold.app.release.status import release_status
from freehold.app.traffic.labels import add_labels
from freehold.delivery.decision import Complete, Decide, Hold, Reweigh, Rollback
from freehold.domain.errors import Refused

DAY = 24 * 3600
AB = "release: {{metrics: {{revenue: {{drop: 5}}}}, ab_test: {{metric: revenue, days: 7{more}}}}}\n"


def led_to(loop: Any, world: Any, answered: pl.DataFrame, mean: float, seed: int) -> None:
    """Each row to some revenue, by an exponential law."""
    revenue = np.random.default_rng(seed).exponential(mean, answered.height)
    known = answered.with_columns(
        label=pl.lit(1), labelled_at=pl.lit(world.MONDAY), revenue=pl.Series(revenue)
    )
    add_labels(loop.site, "delay", known)


def served(loop: Any, world: Any, version: float, champion: float, rows: int = 900) -> None:
    """Both halves of the keys, with the mean revenue of each."""
    number = loop.table().version
    led_to(loop, world, loop.canary(2, rows, routing=number), version, 1)
    own = loop.answered(1, world.asked_rows(rows, seed=3), routing=number)
    led_to(loop, world, own, champion, 2)


def begin(loop: Any, strategy: Any = "ab-test") -> None:
    loop.clock.pass_seconds()
    release(loop.site, plan_release(loop.site, "delay@2", strategy))


def test_a_trial_needs_a_metric(loop: Any) -> None:
    with pytest.raises(Refused) as caught:
        begin(loop)
    assert caught.value.code == "release.no-metric"


def test_the_result_is_told_once_and_a_person_acts_on_it(loop_of: Any, world: Any) -> None:
    loop = loop_of(AB.format(more=""))
    begin(loop)
    assert loop.shares() == {1: 50.0, 2: 50.0}
    served(loop, world, 4.0, 3.0)
    assert loop.turn().move.decision.reason == "time"
    (one,) = release_status(loop.site, "delay")["releases"]
    assert one["trial"]["effect"]["value"] == pytest.approx(1.0, abs=0.4)
    assert one["trial"]["winner"] == ""
    loop.clock.pass_seconds(7 * DAY)
    told = loop.turn().move
    assert isinstance(told.decision, Decide) and told.decision.winner == "version"
    assert spoken(told).startswith("delay@2 is better: revenue +")
    assert loop.shares() == {1: 50.0, 2: 50.0}
    assert isinstance(loop.turn().move.decision, Hold)
    (fact,) = loop.facts("release.decided")
    body = fact["body"]
    assert (body["winner"], body["rows"], body["level"]) == ("version", 900, 0.95)
    assert 0 < body["low"] < body["value"] < body["high"]
    looks = [fact["body"]["decision"] for fact in loop.facts("release.analysed")]
    assert looks == ["time", "decide", "decided"]
    sentence = telling(next(iter(facts_of(loop.site, "release.decided"))))
    assert "delay@2 is better, revenue +" in sentence
    done = orders.promote(loop.site, orders.plan_promotion(loop.site, "delay"), "the result")
    assert (done.status, loop.aliases()) == ("completed", {"champion": 2})


def test_the_better_version_goes_on_by_itself_where_the_project_says_so(
    loop_of: Any, world: Any
) -> None:
    loop = loop_of(AB.format(more=", then: winner, early: true"))
    begin(loop)
    served(loop, world, 4.0, 3.0)
    assert isinstance(loop.turn().move.decision, Decide)
    assert loop.turn().move.decision == Complete()
    assert loop.aliases() == {"champion": 2}


def test_the_better_champion_takes_all_of_it_back(loop_of: Any, world: Any) -> None:
    loop = loop_of(AB.format(more=", then: winner"))
    begin(loop)
    served(loop, world, 3.0, 4.0)
    loop.clock.pass_seconds(7 * DAY)
    assert loop.turn().move.decision.winner == "champion"
    move = loop.turn().move
    assert isinstance(move.decision, Rollback) and move.decision.guardrail == "trial"
    assert spoken(move) == "delay@2 rolled back: the champion is better"
    assert loop.shares() == {1: 100.0}


def test_what_is_undecided_waits_for_a_person(loop_of: Any, world: Any) -> None:
    loop = loop_of(AB.format(more=", then: winner, rows: 900"))
    begin(loop)
    served(loop, world, 3.0, 3.0)
    assert loop.turn().move.decision.winner == "none"
    assert loop.turn().move.decision == Hold("decided", 900, 0, "none")
    assert orders.roll_back(loop.site, "delay").status == "rolled-back"


BANDIT = (
    "release: {{metrics: {{revenue: {{drop: 5}}}}, bandit: {{metric: revenue, window_hours: 24,"
    " every_minutes: 60, floor: 10, days: 7{more}}}}}\n"
)


def test_a_bandit_waits_for_late_rewards_then_follows_them(loop_of: Any, world: Any) -> None:
    loop = loop_of(BANDIT.format(more=""))
    begin(loop, "bandit")
    assert loop.shares() == {1: 50.0, 2: 50.0}
    served(loop, world, 4.0, 3.0)
    loop.clock.pass_seconds(DAY // 2)
    assert isinstance(loop.turn().move.decision, Hold), "rewards are known, but may not be all"
    loop.clock.pass_seconds(DAY // 2)
    move = loop.turn().move
    assert isinstance(move.decision, Reweigh) and move.decision.weight > 85
    assert loop.shares()[2] == move.decision.weight
    assert spoken(move).startswith("delay@2 goes from 50 % to ")
    (fact,) = loop.facts("release.weighted")
    assert [one["rows"] for one in fact["body"]["arms"]] == [900, 900]
    assert loop.facts("release.analysed")[-1]["body"]["decision"] == "weigh"
    assert "better with a chance of" in telling(next(iter(facts_of(loop.site, "release.weighted"))))
    (one,) = release_status(loop.site, "delay")["releases"]
    assert (one["weight"], one["trial"]["looks"]) == (move.decision.weight, 1)
    assert isinstance(loop.turn().move.decision, Hold)
    loop.clock.pass_seconds(6 * DAY)
    assert loop.turn().move.decision.winner == "version"


def test_what_did_not_come_earns_nothing_where_the_project_says_so(
    loop_of: Any, world: Any
) -> None:
    """Only the champion's answers led to anything that was told."""
    weights = {}
    for absent in ("ignored", "zero"):
        loop = loop_of(BANDIT.format(more=f", absent: {absent}"))
        begin(loop, "bandit")
        loop.canary(2, 400, routing=loop.table().version)
        own = loop.answered(1, world.asked_rows(400, seed=3), routing=loop.table().version)
        led_to(loop, world, own, 3.0, 2)
        loop.clock.pass_seconds(DAY)
        loop.turn()
        weights[absent] = loop.shares()[2]
    assert weights == {"ignored": 50.0, "zero": 10.0}


def test_nothing_is_told_of_ids_that_go_astray(loop_of: Any, world: Any) -> None:
    loop = loop_of(AB.format(more=", early: true"))
    begin(loop)
    served(loop, world, 4.0, 3.0, rows=600)
    loop.canary(2, 300, seed=9, routing=loop.table().version)
    assert loop.turn().move.decision.reason == "sample-ratio"
