"""What a person says to a running release, and what freezes all of them."""

import json
from typing import Any

import pytest

from freehold.app.history.facts import facts_of
from freehold.app.history.telling import telling
from freehold.app.loop.signals import signals
from freehold.app.loop.status import status
from freehold.app.release import orders
from freehold.app.release.release import plan_release, release
from freehold.app.release.status import release_status
from freehold.app.traffic.requests import collect
from freehold.delivery.decision import Hold, Promote, Rollback
from freehold.domain.errors import Conflict, NotFound
from freehold.domain.fact import Draft

FEWEST = 300
MONTH = 30 * 24 * 3600
ALWAYS = "Mon 00:00 - Sun 23:59"
"""The loop's clock begins on a Monday."""


@pytest.fixture
def begun(loop: Any) -> Any:
    assert loop.release(2).weight == 5
    return loop


def broken(loop: Any, world: Any) -> None:
    loop.answered(2, world.asked_rows(20), alias="challenger", error="model.failed")


def spend(loop: Any, money: float) -> None:
    """This month, on this model, by what was metered."""
    row = {
        **dict.fromkeys(("version", "pipeline", "run"), ""),
        "day": "2026-01-05",
        "site": "local",
        "kind": "step",
        "model": "delay",
        "currency": "USD",
        "money": money,
        "carbon": None,
        "rows": 1,
        "unpriced": 0,
    }
    empty = {key: {} for key in ("tags", "storage", "replicas", "moved")}
    body = {"until": loop.clock.now, "rows": 1, "spent": [row], **empty}
    loop.site.ledger.append([Draft("usage.metered", body)])


def test_a_paused_release_keeps_its_weights_and_is_looked_at(begun: Any) -> None:
    done = orders.pause(begun.site, "delay", "a colleague's launch")
    assert (done.paused, done.weight, done.status) == (True, 5, "running")
    begun.canary(2, FEWEST)
    move = begun.turn().move
    assert move.decision == Hold("paused", FEWEST, 0)
    assert begun.shares() == {1: 95.0, 2: 5.0}
    (one,) = release_status(begun.site, "delay")["releases"]
    assert (one["held"], one["next"], one["looks"][0]["rows"]) == ("paused", "promote:25", FEWEST)
    assert orders.resume(begun.site, "delay").paused is False
    assert begun.turn().move.decision == Promote(25)


def test_a_guardrail_takes_a_paused_release_back(begun: Any, world: Any) -> None:
    orders.pause(begun.site, "delay")
    broken(begun, world)
    assert isinstance(begun.turn().move.decision, Rollback)
    assert begun.shares() == {1: 100.0}


def test_what_was_said_is_not_said_again(begun: Any) -> None:
    orders.pause(begun.site, "delay")
    before = begun.count()
    assert orders.pause(begun.site, "delay").paused
    assert begun.count() == before
    orders.resume(begun.site, "delay")
    orders.resume(begun.site, "delay")
    assert begun.count() == before + 1
    assert orders.roll_back(begun.site, "delay").status == "rolled-back"
    before = begun.count()
    assert orders.roll_back(begun.site, "delay").guardrail == "person"
    assert begun.count() == before


@pytest.mark.parametrize("say", [orders.pause, orders.resume, orders.plan_promotion])
def test_nothing_can_be_said_to_what_has_ended(begun: Any, say: Any) -> None:
    orders.roll_back(begun.site, "delay")
    with pytest.raises(NotFound) as caught:
        say(begun.site, "delay")
    assert caught.value.code == "release.not-found"


def test_a_person_takes_the_next_step_by_name_and_with_a_reason(begun: Any) -> None:
    site = begun.site
    done = orders.promote(site, orders.plan_promotion(site, "delay"), "seen enough")
    assert done.weight == 25
    assert begun.shares() == {1: 75.0, 2: 25.0}
    (fact,) = begun.facts("release.advanced")
    assert (fact["actor"], fact["body"]["decided"]) == (site.actor, "person")
    assert site.attachments.get(fact["body"]["reason"]) == b"seen enough"
    assert "seen enough" not in json.dumps(begun.facts())
    (told,) = facts_of(site, "release.advanced")
    assert telling(told, "ada") == "release delay/2 to 25 %, by ada"


def test_a_person_takes_all_of_it(begun: Any) -> None:
    done = orders.promote(begun.site, orders.plan_promotion(begun.site, "delay", full=True))
    assert (done.status, begun.aliases()) == ("completed", {"champion": 2})
    assert begun.shares() == {2: 100.0}


def test_a_promotion_that_was_planned_is_of_that_step(begun: Any) -> None:
    plan = orders.plan_promotion(begun.site, "delay")
    orders.promote(begun.site, plan)
    before = begun.count()
    with pytest.raises(Conflict) as caught:
        orders.promote(begun.site, plan)
    assert caught.value.code == "release.finished"
    assert (begun.count(), begun.shares()) == (before, {1: 75.0, 2: 25.0})


def test_no_person_promotes_past_a_crossed_guardrail(begun: Any, world: Any) -> None:
    orders.pause(begun.site, "delay")
    broken(begun, world)
    begun.clock.pass_seconds()
    # Collected, but not yet decided on.
    collect(begun.site, "delay")
    with pytest.raises(Conflict) as caught:
        orders.plan_promotion(begun.site, "delay", full=True)
    assert caught.value.code == "release.crossed"


def test_a_pause_and_a_promotion_stand_beside_each_other(begun: Any) -> None:
    orders.pause(begun.site, "delay")
    done = orders.promote(begun.site, orders.plan_promotion(begun.site, "delay"))
    assert (done.weight, done.paused) == (25, True)
    begun.canary(2, FEWEST)
    assert begun.turn().move.decision == Hold("paused", FEWEST, 0)


def test_in_a_window_nothing_goes_on_and_what_must_goes_back(loop_of: Any, world: Any) -> None:
    loop = loop_of(f"release: {{freeze: {{weekly: [{ALWAYS}]}}}}\n")
    with pytest.raises(Conflict) as caught:
        loop.release(2)
    assert caught.value.code == "release.frozen"
    assert "until 2026-01-11T23:59" in caught.value.why
    release(loop.site, plan_release(loop.site, "delay@2", despite_freeze=True))
    loop.canary(2, FEWEST)
    move = loop.turn().move
    assert move.decision == Hold("frozen", FEWEST, 0, "frozen:weekly")
    assert loop.shares() == {1: 95.0, 2: 5.0}
    assert loop.told[-1] == "delay@2 stays at 5 %: frozen by weekly, after 300 rows"
    (fact,) = loop.facts("release.analysed")
    assert fact["body"]["decision"] == "frozen:weekly"
    (one,) = release_status(loop.site)["releases"]
    assert one["held"] == "frozen:weekly"
    assert one["frozen"] == {"reason": "weekly", "name": ALWAYS, "until": "2026-01-11T23:59+00:00"}
    assert status(loop.site)["models"][0]["release"]["held"] == "frozen:weekly"
    before = loop.count()
    loop.turn()
    assert loop.count() == before
    with pytest.raises(Conflict) as caught:
        orders.plan_promotion(loop.site, "delay")
    assert caught.value.code == "release.frozen"
    plan = orders.plan_promotion(loop.site, "delay", despite_freeze=True)
    assert orders.promote(loop.site, plan).weight == 25
    broken(loop, world)
    assert isinstance(loop.turn().move.decision, Rollback)


def test_after_the_window_it_goes_on(loop_of: Any) -> None:
    loop = loop_of("release: {freeze: {dates: [2026-01-06 - 2026-01-07]}}\n")
    loop.release(2)
    loop.clock.pass_seconds(24 * 3600)
    loop.canary(2, FEWEST)
    assert loop.turn().move.decision == Hold("frozen", FEWEST, 0, "frozen:dates")
    loop.clock.pass_seconds(2 * 24 * 3600)
    assert loop.turn().move.decision == Promote(25)


@pytest.mark.parametrize(
    ("budget", "freezes"),
    [
        ("{limit: 5}", True),
        ("{limit: 5, model: delay}", True),
        ("{limit: 50}", False),
        ("{limit: 5, then: approve}", False),
    ],
)
def test_a_passed_budget_freezes_the_releases_that_it_pays_for(
    loop_of: Any, budget: str, freezes: bool
) -> None:
    loop = loop_of(f"budgets: {{month: {budget}}}\n")
    loop.release(2)
    spend(loop, 10.0)
    loop.canary(2, FEWEST)
    decision = loop.turn().move.decision
    assert decision == (Hold("frozen", FEWEST, 0, "frozen:budget") if freezes else Promote(25))
    loop.clock.pass_seconds(MONTH)
    if freezes:
        assert loop.turn().move.decision == Promote(25)


@pytest.mark.parametrize(
    ("objective", "freezes"),
    [
        ("{answered: 0.99, rows: 100}", True),
        ("{answered: 0.99, rows: 100000}", False),
        ("{answered: 0.9, rows: 100}", False),
        ("{days: 28}", False),
    ],
)
def test_a_missed_objective_freezes_releases_until_it_is_past(
    loop_of: Any, world: Any, objective: str, freezes: bool
) -> None:
    loop = loop_of(f"release: {{objective: {objective}, guardrails: {{error_rate: 1.0}}}}\n")
    loop.release(2)
    loop.canary(2, FEWEST)
    broken(loop, world)
    collect(loop.site, "delay")
    held = release_status(loop.site)["releases"][0]["frozen"]
    if not freezes:
        assert held is None
        return
    assert held["reason"] == "objective"
    assert "rows failed in 28 days" in held["name"]
    with pytest.raises(Conflict) as caught:
        orders.plan_promotion(loop.site, "delay")
    assert caught.value.code == "release.frozen" and "the objective is missed" in caught.value.why
    loop.clock.pass_seconds(MONTH)
    assert release_status(loop.site)["releases"][0]["frozen"] is None


def test_a_missed_objective_is_a_signal_once_in_the_cool_down(loop_of: Any, world: Any) -> None:
    loop = loop_of("release: {objective: {answered: 0.99, rows: 100}}\n")
    loop.release(2)
    loop.canary(2, FEWEST)
    broken(loop, world)
    (signal,) = loop.turn().signals
    assert (signal.kind, signal.model, signal.severity) == ("objective", "delay", "warning")
    assert signal.value > signal.limit == pytest.approx(0.01)
    said = f"warning: objective of rows not answered, {signal.value:.3%} over 1.000%"
    assert any(said in one for one in loop.told)
    assert [one["kind"] for one in signals(loop.site, "delay")["signals"]] == ["objective"]
    assert not loop.turn().signals
    days = loop.site.project.spec.monitoring.cool_down_days
    loop.clock.pass_seconds(days * 86400)
    assert [one.kind for one in loop.turn().signals] == ["objective"]
    loop.clock.pass_seconds(MONTH)
    assert not loop.turn().signals


def test_under_a_passed_budget_no_release_begins_and_what_must_goes_back(
    loop_of: Any, world: Any
) -> None:
    loop = loop_of("budgets: {month: {limit: 5}}\n")
    spend(loop, 10.0)
    with pytest.raises(Conflict) as caught:
        loop.release(2)
    assert caught.value.code == "release.frozen" and "month" in caught.value.why
    release(loop.site, plan_release(loop.site, "delay@2", despite_freeze=True))
    with pytest.raises(Conflict) as caught:
        orders.plan_promotion(loop.site, "delay")
    assert caught.value.code == "release.frozen"
    broken(loop, world)
    assert isinstance(loop.turn().move.decision, Rollback)
    assert loop.shares() == {1: 100.0}


def test_budgets_may_be_left_out_of_it(loop_of: Any) -> None:
    more = "budgets: {month: {limit: 5}}\nrelease: {freeze: {budgets: false}}\n"
    loop = loop_of(more)
    loop.release(2)
    spend(loop, 10.0)
    loop.canary(2, FEWEST)
    assert loop.turn().move.decision == Promote(25)
