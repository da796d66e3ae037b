"""A shadow's log, as an endpoint is to write it, moves the release or takes it back."""

from typing import Any

import pytest

from freehold.app.release import orders
from freehold.app.release.release import plan_release, release
from freehold.delivery.decision import Hold, Promote, Rollback

FEWEST, DAY = 300, 24 * 3600
SHADOW = "release: {shadow: {share: 50, hours: 1, then: canary}}\n"


def begin(loop: Any) -> None:
    release(loop.site, plan_release(loop.site, "delay@2", "shadow"))


@pytest.fixture
def begun(loop_of: Any) -> Any:
    loop = loop_of(SHADOW)
    begin(loop)
    assert loop.table().shadow is not None and loop.table().shadow.share == 50
    assert loop.shares() == {1: 100.0, 2: 0.0}
    return loop


def test_a_quiet_shadow_becomes_a_canary(begun: Any, world: Any) -> None:
    begun.shadowed(2, FEWEST - 1)
    assert begun.turn().move.decision == Hold("rows", FEWEST - 1, FEWEST)
    begun.shadowed(2, 1)
    assert begun.turn().move.decision.reason == "time"
    begun.clock.pass_seconds(3600)
    move = begun.turn().move
    assert move.decision == Promote(5)
    assert move.observation.score_shift.known
    assert begun.shares() == {1: 95.0, 2: 5.0}
    assert begun.table().shadow is None
    begun.canary(2, FEWEST)
    assert begun.turn().move.decision == Promote(25)


def test_a_shadow_that_fails_goes_back_and_nobody_was_answered_by_it(
    begun: Any, world: Any
) -> None:
    begun.shadowed(2, 60, failed=20)
    move = begun.turn().move
    assert isinstance(move.decision, Rollback) and move.decision.guardrail == "error-rate"
    assert begun.shares() == {1: 100.0}


def test_labels_that_come_later_count_for_what_it_scored(begun: Any, world: Any) -> None:
    answered = begun.shadowed(2, FEWEST)
    begun.labelled(answered, world.outcomes(answered["score"].to_numpy()))
    quality = begun.turn().move.observation.quality_difference
    assert quality.value == pytest.approx(0.0, abs=1e-9)


def test_a_person_lets_it_answer(loop_of: Any, world: Any) -> None:
    loop = loop_of("release: {shadow: {hours: 0}}\n")
    begin(loop)
    loop.shadowed(2, FEWEST)
    assert loop.turn().move.decision == Hold("person", FEWEST, 0)
    assert orders.promote(loop.site, orders.plan_promotion(loop.site, "delay")).weight == 5
