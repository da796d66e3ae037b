"""A release moves, ends and goes back by what was seen of it, and by nothing else."""

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.app.history.facts import facts_of
from freehold.app.history.telling import telling
from freehold.app.history.why import why
from freehold.app.loop.status import status
from freehold.app.release import orders
from freehold.app.release.orders import roll_back
from freehold.app.traffic.labels import add_labels
from freehold.delivery.decision import Complete, Hold, Promote, Rollback

FEWEST = 300
"""Rows that a step needs unless a project says otherwise."""


@pytest.fixture
def begun(loop: Any) -> Any:
    assert loop.release(2).weight == 5
    return loop


def test_from_5_to_25_to_100_to_champion(begun: Any) -> None:
    assert begun.shares() == {1: 95.0, 2: 5.0}
    for weight in (25, 100):
        begun.canary(2, FEWEST)
        assert begun.turn().move.decision == Promote(weight)
        assert begun.shares() == {1: 100.0 - weight, 2: float(weight)}
        assert begun.aliases() == {"champion": 1, "challenger": 2}
    begun.canary(2, FEWEST)
    assert begun.turn().move.decision == Complete()
    assert begun.aliases() == {"champion": 2}
    assert begun.shares() == {2: 100.0}
    assert begun.turn().move is None
    moved = begun.facts("release.advanced", "release.completed")
    rows = [fact["body"]["rows"] for fact in moved if fact["body"]["version"] == 2]
    assert rows == [FEWEST] * 3


def test_a_step_is_caused_by_the_one_before(begun: Any) -> None:
    for _ in range(3):
        begun.canary(2, FEWEST)
        begun.turn()
    kinds = ("release.started", "release.advanced", "release.completed")
    steps = [f for f in begun.facts(*kinds) if f["body"]["version"] == 2]
    assert [step["type"] for step in steps] == [kinds[0], kinds[1], kinds[1], kinds[2]]
    for before, after in pairwise(steps):
        assert before["name"] in after["cause"]
    moves = [f for f in begun.facts("alias.moved") if f["body"]["release"] == "delay/2"]
    assert all(move["cause"] for move in moves)


def test_never_before_the_minimum_sample(begun: Any) -> None:
    """Nor by rows that an earlier step was given."""
    begun.canary(2, FEWEST - 1)
    assert begun.turn().move.decision == Hold("rows", FEWEST - 1, FEWEST)
    begun.canary(2, 1)
    assert begun.turn().move.decision == Promote(25)
    assert begun.turn().move.decision == Hold("rows", 0, FEWEST)
    begun.canary(2, FEWEST - 1, seed=1)
    assert begun.turn().move.decision == Hold("rows", FEWEST - 1, FEWEST)
    assert begun.shares() == {1: 75.0, 2: 25.0}


def test_a_hold_is_recorded_when_it_tells_something_new(begun: Any) -> None:
    begun.turn()
    assert begun.facts("release.analysed") == [], "nobody was asked"

    def looked(rows: int, seconds: int = 0) -> list[int]:
        if rows:
            begun.canary(2, rows)
        begun.clock.pass_seconds(seconds)
        for _ in range(3):
            begun.turn()
        return [fact["body"]["rows"] for fact in begun.facts("release.analysed")]

    assert looked(10) == [10]
    assert looked(5) == [10]
    assert looked(5) == [10, 20]
    assert looked(1) == [10, 20]
    assert looked(0, 3600) == [10, 20, 21]
    assert looked(0, 3600) == [10, 20, 21], "nothing else was found"
    last = begun.facts("release.analysed")[-1]
    assert (last["body"]["decision"], last["cause"]) == ("rows", [begun_by(begun)])
    assert begun.told == []
    orders.pause(begun.site, "delay")
    assert looked(FEWEST) == [10, 20, 21, 21 + FEWEST]
    assert begun.facts("release.analysed")[-1]["body"]["decision"] == "paused"
    before = begun.count()
    begun.turn()
    assert begun.count() == before
    chain = [one.fact.type for one in why(begun.site, "delay@2").links]
    assert "release.analysed" not in chain, "nothing followed from them"


def begun_by(loop: Any) -> Any:
    return next(one["name"] for one in loop.facts("release.started") if one["body"]["version"] == 2)


def test_rows_that_a_client_sent_to_the_version_count_for_nothing(begun: Any, world: Any) -> None:
    begun.canary(2, 2 * FEWEST, routing=None)
    failed = world.asked_rows(FEWEST)
    begun.answered(2, failed, alias="challenger", routing=None, error="model.failed")
    assert begun.turn().move.decision == Hold("rows", 0, FEWEST)


def test_the_champions_own_rows_count_for_nothing(begun: Any) -> None:
    begun.day(0, rows=2 * FEWEST)
    assert begun.turn().move.decision == Hold("rows", 0, FEWEST)


def has_gone_back(loop: Any, guardrail: str) -> None:
    """The champion serves alone, the history says why, and there is nothing more to move."""
    move = loop.turn().move
    assert isinstance(move.decision, Rollback)
    assert move.decision.guardrail == guardrail
    assert move.decision.value > move.decision.limit
    assert loop.shares() == {1: 100.0}
    assert loop.table().reference is None
    assert loop.aliases() == {"champion": 1}
    (fact,) = loop.facts("release.rolled-back")
    started = [f for f in loop.facts("release.started") if f["body"]["version"] == 2]
    assert started[0]["name"] in fact["cause"]
    assert fact["body"]["guardrail"] == guardrail
    assert fact["body"]["rows"] == move.observation.rows
    assert guardrail in loop.told[0]
    before = loop.count()
    assert loop.turn().move is None
    assert loop.count() == before


def test_errors_roll_back(begun: Any, world: Any) -> None:
    begun.canary(2, 90)
    begun.answered(2, world.asked_rows(10), alias="challenger", error="model.failed")
    has_gone_back(begun, "error-rate")


def test_one_error_in_few_rows_does_not(begun: Any, world: Any) -> None:
    begun.canary(2, 9)
    begun.answered(2, world.asked_rows(1), alias="challenger", error="model.failed")
    assert begun.turn().move.decision == Hold("rows", 10, FEWEST)


def test_a_score_that_left_its_baseline_while_the_champions_stayed_rolls_back(
    begun: Any, world: Any
) -> None:
    asked = world.asked_rows(250)
    distance = asked["distance"].to_numpy()
    moved, usual = world.scores_of(distance, 4.0), world.scores_of(distance)
    begun.answered(2, asked, moved, usual, alias="challenger")
    has_gone_back(begun, "score-shift")


def test_a_season_moves_both_and_does_not_roll_back(begun: Any, world: Any) -> None:
    asked = world.asked_rows(FEWEST, distance=4.0)
    distance = asked["distance"].to_numpy()
    mine, beside = world.scores_of(distance, 0.5), world.scores_of(distance)
    begun.answered(2, asked, mine, beside, alias="challenger")
    assert begun.turn().move.decision == Promote(25)


def test_quality_rolls_back_once_labels_come(begun: Any, world: Any) -> None:
    """Scores in another order look the same until it is known what came true."""
    asked = world.asked_rows(FEWEST - 1)
    usual = world.scores_of(asked["distance"].to_numpy())
    turned = np.random.default_rng(1).permutation(usual)
    answered = begun.answered(2, asked, turned, usual, alias="challenger")
    assert begun.turn().move.decision == Hold("rows", FEWEST - 1, FEWEST)
    begun.labelled(answered, world.outcomes(usual))
    has_gone_back(begun, "quality-drop")


def test_labels_that_speak_for_it_do_not(begun: Any, world: Any) -> None:
    answered = begun.canary(2, FEWEST)
    begun.labelled(answered, world.outcomes(answered["score"].to_numpy()))
    move = begun.turn().move
    assert move.decision == Promote(25)
    assert move.observation.quality_difference.value == pytest.approx(0.0)


def test_a_corrected_label_counts_and_the_first_one_does_not(begun: Any, world: Any) -> None:
    asked = world.asked_rows(FEWEST - 1)
    usual = world.scores_of(asked["distance"].to_numpy())
    turned = np.random.default_rng(1).permutation(usual)
    answered = begun.answered(2, asked, turned, usual, alias="challenger")
    labels = world.outcomes(usual)
    begun.labelled(answered, 1 - labels)
    assert isinstance(begun.turn().move.decision, Hold)
    begun.labelled(answered, labels)
    has_gone_back(begun, "quality-drop")


def test_labels_that_come_a_step_later_still_count(begun: Any, world: Any) -> None:
    """Late is when labels come: the rows of the step before are not forgotten."""
    asked = world.asked_rows(FEWEST)
    usual = world.scores_of(asked["distance"].to_numpy())
    turned = np.random.default_rng(1).permutation(usual)
    answered = begun.answered(2, asked, turned, usual, alias="challenger")
    assert begun.turn().move.decision == Promote(25)
    begun.labelled(answered, world.outcomes(usual))
    assert begun.turn().move.decision.guardrail == "quality-drop"


def test_what_no_step_shows_alone_is_shown_by_all(begun: Any, world: Any) -> None:
    """Fifteen failures in 615 requests are no proof, nor are they again; together they are."""
    for step in range(3):
        begun.canary(2, 2 * FEWEST, seed=step)
        failed = world.asked_rows(15, seed=step)
        begun.answered(2, failed, alias="challenger", error="model.failed")
        move = begun.turn().move
        if isinstance(move.decision, Rollback):
            break
    assert move.decision.guardrail == "error-rate"
    assert move.release.step > 0
    found = begun.facts("release.analysed")[-1]["body"]
    lows = [one["low"] for look in found["looks"] for one in look["figures"][:1]]
    assert lows[0] < 0.01 < lows[-1]


def test_a_decision_says_what_it_rests_on(begun: Any) -> None:
    begun.canary(2, FEWEST)
    begun.turn()
    begun.canary(2, FEWEST, latency=1000.0)
    begun.turn()
    first, last = (fact["body"] for fact in begun.facts("release.analysed"))
    assert (first["decision"], first["step"], first["rows"]) == ("promote", 0, FEWEST)
    assert (last["decision"], last["step"], last["rows"]) == ("latency-ratio", 1, FEWEST)
    assert [look["rows"] for look in last["looks"]] == [FEWEST, 2 * FEWEST]
    assert first["risk"] == pytest.approx(0.01 / 4 / 3)
    told = {one["guardrail"] for one in first["looks"][0]["figures"]}
    assert told == {"error-rate", "latency-ratio", "score-shift"}
    for look in last["looks"]:
        for one in look["figures"]:
            assert one["low"] <= one["value"] <= one["high"]
    named = {fact["name"] for fact in begun.facts("release.analysed")}
    ends = begun.facts("release.advanced", "release.rolled-back")
    assert all(named & set(fact["cause"]) for fact in ends)
    assert "beyond its limit: latency-ratio" in telling(
        list(facts_of(begun.site, "release.analysed"))[-1]
    )


def test_ids_that_do_not_go_where_they_should_hold_it_there(begun: Any, world: Any) -> None:
    number = begun.table().version
    begun.canary(2, FEWEST, routing=number)
    begun.answered(1, world.asked_rows(FEWEST), routing=number)
    move = begun.turn().move
    assert move.decision == Hold("sample-ratio", FEWEST, 30)
    assert "300 ids went to it instead of some 30" in begun.told[0]
    (fact,) = begun.facts("release.analysed")
    assert fact["body"]["assignment"]["ids"] == 2 * FEWEST
    assert status(begun.site)["models"][0]["release"]["held"] == "sample-ratio"
    before = begun.count()
    assert begun.turn().move.decision == move.decision
    assert (begun.count(), len(begun.told)) == (before, 1)
    begun.answered(2, world.asked_rows(20), alias="challenger", error="model.failed")
    assert begun.turn().move.decision.guardrail == "error-rate"


def test_ids_that_go_where_they_should_do_not(begun: Any, world: Any) -> None:
    number = begun.table().version
    begun.canary(2, FEWEST, routing=number)
    begun.answered(1, world.asked_rows(19 * FEWEST), routing=number)
    move = begun.turn().move
    assert move.decision == Promote(25)
    assert move.observation.assignment.ids == 20 * FEWEST
    assert status(begun.site)["models"][0]["release"]["held"] == ""


def test_a_metric_of_the_projects_own_rolls_back(loop_of: Any, world: Any) -> None:
    loop = loop_of("release: {metrics: {revenue: {drop: 0.5}}}\n")
    loop.release(2)
    canary = loop.canary(2, FEWEST - 1)
    champion = loop.answered(1, world.asked_rows(600, seed=3), routing=1)
    chance = np.random.default_rng(4)
    for answered, mean in ((canary, 1.0), (champion, 3.0)):
        known = answered.with_columns(
            label=pl.lit(1),
            labelled_at=pl.lit(world.MONDAY),
            revenue=pl.Series(chance.exponential(mean, answered.height)),
        )
        add_labels(loop.site, "delay", known)
    move = loop.turn().move
    assert move.decision.guardrail == "metric:revenue"
    assert move.decision.value == pytest.approx(2.0, abs=0.5)
    assert loop.aliases() == {"champion": 1}


def test_looked_at_all_the_time_with_nothing_wrong_it_walks_up(begun: Any, world: Any) -> None:
    decisions = []
    for look in range(45):
        answered = begun.canary(2, 20, seed=look)
        begun.labelled(answered, world.outcomes(answered["score"].to_numpy(), seed=look))
        decisions.append(begun.turn().move.decision)
    assert [one for one in decisions if not isinstance(one, Hold)] == [
        Promote(25),
        Promote(100),
        Complete(),
    ]


def test_latency_rolls_back(begun: Any) -> None:
    begun.canary(2, FEWEST - 1, latency=1000.0, reference_latency=100.0)
    has_gone_back(begun, "latency-ratio")


def test_a_slow_machine_is_slow_for_both_and_does_not(begun: Any) -> None:
    begun.canary(2, FEWEST, latency=10_000.0, reference_latency=9_000.0)
    assert begun.turn().move.decision == Promote(25)


def test_it_goes_back_from_100_percent_too(begun: Any, world: Any) -> None:
    for _ in range(2):
        begun.canary(2, FEWEST)
        begun.turn()
    assert begun.shares() == {1: 0.0, 2: 100.0}
    begun.answered(2, world.asked_rows(20), alias="challenger", error="model.failed")
    assert begun.turn().move.decision.guardrail == "error-rate"
    assert begun.shares() == {1: 100.0}
    assert begun.aliases() == {"champion": 1}


def test_the_numbers_of_its_tables_grow(begun: Any, world: Any) -> None:
    numbers = [begun.table().version]
    begun.canary(2, FEWEST)
    begun.turn()
    numbers.append(begun.table().version)
    begun.answered(2, world.asked_rows(20), alias="challenger", error="model.failed")
    begun.turn()
    numbers.append(begun.table().version)
    begun.release(2)
    numbers.append(begun.table().version)
    assert numbers == sorted(set(numbers))


def test_a_person_rolls_back_at_once(begun: Any) -> None:
    begun.canary(2, FEWEST)
    assert roll_back(begun.site, "delay").status == "rolled-back"
    assert begun.shares() == {1: 100.0}
    assert begun.turn().move is None


def test_a_table_that_a_crash_kept_from_being_written_is_written_by_the_next_turn(
    begun: Any,
) -> None:
    (begun.site.serving / "routing.json").unlink()
    begun.turn()
    assert begun.shares() == {1: 95.0, 2: 5.0}
