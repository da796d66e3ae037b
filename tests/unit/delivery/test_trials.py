"""An A/B test: told once, rightly but for its risk, and acted on by whom the project says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from freehold.delivery.decision import Complete, Decide, Hold, Rollback, advance, better
from freehold.delivery.observation import Observation
from freehold.domain.project import ABTestSpec, MetricSpec, ReleaseSpec
from freehold.domain.release import Release
from freehold.domain.statistics.asymptotic import Moments, difference
from freehold.domain.statistics.estimate import Estimate

DAY = 86_400_000_000
METRICS = {"money": MetricSpec(drop=5.0), "cost": MetricSpec(drop=5.0, better="lower")}


def trial(metric: str = "money", **more: object) -> Release:
    test = replace(ABTestSpec(metric=metric, days=7), **more)  # type: ignore[arg-type]
    settings = ReleaseSpec(metrics=METRICS, ab_test=test)
    return Release("m/2", "m", 2, 1, "ab-test", settings, begun=(0,))


def seen(low: float, high: float, rows: int = 900) -> Observation:
    effect = Estimate((low + high) / 2, low, high, 0.95, rows)
    return Observation(1000, 0, effect=effect)


def test_its_share_is_fixed_and_it_has_one_step() -> None:
    assert (trial().steps, trial(share=20).weight) == ((50,), 20)


def test_it_is_told_when_its_time_has_come() -> None:
    clear = seen(0.1, 0.5)
    assert advance(trial(), clear, now=7 * DAY - 1) == Hold("time", 7 * 86_400 - 1, 7 * 86_400)
    assert advance(trial(), clear, now=7 * DAY) == Decide("money", "version", clear.effect)  # type: ignore[arg-type]
    unclear = seen(-0.1, 0.5)
    assert advance(trial(), unclear, now=7 * DAY) == Decide("money", "none", unclear.effect)  # type: ignore[arg-type]
    unknown = advance(trial(), Observation(0, 0), now=7 * DAY)
    assert isinstance(unknown, Decide) and (unknown.winner, unknown.effect.value) == ("none", None)


def test_enough_rows_or_being_sure_may_tell_it_earlier() -> None:
    assert isinstance(advance(trial(rows=900), seen(-1, 1), now=1), Decide)
    assert isinstance(advance(trial(rows=901), seen(-1, 1), now=1), Hold)
    assert isinstance(advance(trial(early=True), seen(0.1, 1), now=1), Decide)
    assert isinstance(advance(trial(early=True), seen(-0.1, 1), now=1), Hold)


@given(st.floats(-5, 5), st.floats(0, 5), st.sampled_from(["money", "cost"]))
def test_the_better_one_is_that_which_all_of_the_interval_says(
    value: float, reach: float, metric: str
) -> None:
    effect = Estimate(value, value - reach, value + reach, 0.95, 500)
    found = better(trial(metric).settings, metric, effect)
    good = value if metric == "money" else -value
    expected = "none" if abs(value) <= reach else "version" if good > 0 else "champion"
    assert found == expected


@pytest.mark.parametrize("winner", ["version", "champion", "none"])
@pytest.mark.parametrize("then", ["person", "winner"])
def test_who_acts_on_the_result(winner: str, then: str) -> None:
    told = replace(trial(then=then), winner=winner)  # type: ignore[arg-type]
    decision = advance(told, seen(0.1, 0.5), now=8 * DAY)
    if then == "person" or winner == "none":
        assert isinstance(decision, Hold)
        assert (decision.reason, decision.detail) == ("decided", winner)
    elif winner == "version":
        assert decision == Complete()
    else:
        assert isinstance(decision, Rollback) and decision.guardrail == "trial"


def test_a_guardrail_comes_before_the_result() -> None:
    bad = replace(seen(0.1, 0.5), error_rate=Estimate(0.5, 0.4, 0.6, 0.99, 900))
    assert isinstance(advance(trial(early=True), bad, now=9 * DAY), Rollback)


def test_two_alike_are_seldom_told_apart_though_looked_at_all_the_time() -> None:
    """Told early, at any of forty looks: wrong no oftener than stated, by a 99 % binomial bound."""
    chance, trials, risk = np.random.default_rng(5), 600, 0.05
    looks = np.unique(np.geomspace(100, 4000, 40).astype(int))
    settings, wrong = trial(early=True, risk=risk).settings, 0
    for _ in range(trials):
        arms = chance.exponential(3.0, (2, looks[-1]))
        found = (
            difference(Moments.of(arms[0, :count]), Moments.of(arms[1, :count]), risk / 2)
            for count in looks
        )
        wrong += any(better(settings, "money", one) != "none" for one in found)
    assert wrong <= binom.ppf(0.99, trials, risk)


def test_a_real_difference_is_found_and_has_the_right_sign() -> None:
    chance, found = np.random.default_rng(6), 0
    for _ in range(50):
        ours, theirs = chance.exponential(3.5, 4000), chance.exponential(3.0, 4000)
        effect = difference(Moments.of(ours), Moments.of(theirs), 0.025)
        assert better(trial().settings, "money", effect) != "champion"
        found += better(trial().settings, "money", effect) == "version"
    assert found >= 45
