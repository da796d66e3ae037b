"""A bandit's shares: whole, floored, the same for whoever looks, and soon the better arm's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from freehold.delivery.bandit import DRAWS, Arm, chances, draws, effect, shares
from freehold.delivery.decision import (
    Decide,
    Hold,
    Promote,
    Reweigh,
    Rollback,
    advance,
    astray,
    restrained,
)
from freehold.delivery.observation import Assignment, Observation
from freehold.delivery.traffic import traffic
from freehold.domain.project import BanditSpec, MetricSpec, ReleaseSpec
from freehold.domain.release import Release
from freehold.domain.statistics.estimate import Estimate

HOUR, DAY = 3_600_000_000, 86_400_000_000
CLICKS = {"clicks": MetricSpec(drop=1.0), "cost": MetricSpec(drop=1.0, better="lower")}

counts = st.integers(0, 3000)
zeros_and_ones = st.builds(
    lambda rows, share: Arm(rows, round(rows * share) / rows if rows else 0.0, 0.1),
    counts,
    st.floats(0, 1),
)
amounts = st.builds(
    lambda rows, mean, spread: Arm(rows, mean, spread, binary=False),
    counts,
    st.floats(-100, 100),
    st.floats(0, 1000),
)
arms = st.lists(zeros_and_ones, min_size=2, max_size=5) | st.lists(amounts, min_size=2, max_size=5)


def bandit(metric: str = "clicks", **more: object) -> Release:
    wanted = BanditSpec(metric=metric, days=7, every_minutes=60, floor=5)
    whole = ReleaseSpec(metrics=CLICKS, bandit=wanted)
    release = Release("m/2", "m", 2, 1, "bandit", whole, begun=(0,), started="w/7", sites=("w",))
    return replace(release, **more)  # type: ignore[arg-type]


def earned(champion: Arm, version: Arm) -> Observation:
    return Observation(1000, 0, arms=(champion, version))


@settings(max_examples=60)
@given(arms, st.integers(0, 2**64 - 1), st.integers(0, 9), st.integers(0, 20), st.booleans())
def test_shares_are_whole_floored_sum_to_all_and_are_the_same_again(
    found: list[Arm], seed: int, look: int, floor: int, higher: bool
) -> None:
    drawn = draws(found, (seed, look))
    if drawn is None:
        binary = all(one.binary for one in found)
        assert min(one.rows for one in found) < (1 if binary else 30)
        return
    chance = chances(drawn, higher)
    assert chance.sum() == pytest.approx(1.0)
    given_to = shares(chance, floor)
    assert sum(given_to) == 100 and min(given_to) >= floor
    again = draws(found, (seed, look))
    assert again is not None and (again == drawn).all()


def test_floors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        shares([0.5, 0.5], 51)


def test_draws_are_those_of_the_posterior() -> None:
    """The chance that one Beta exceeds another, beside its integral."""
    first, second = Arm(200, 0.10, 0.09), Arm(150, 0.14, 0.12)
    drawn = draws((first, second), (3, 0))
    assert drawn is not None
    grid = (np.arange(4000) + 0.5) / 4000
    exact = (beta.pdf(grid, 1 + 21, 1 + 129) * beta.cdf(grid, 1 + 20, 1 + 180)).mean()
    low, high = binom.ppf((0.0005, 0.9995), DRAWS, exact) / DRAWS
    assert low <= chances(drawn)[1] <= high


def test_rewards_are_summed_up_without_bias() -> None:
    values = np.random.default_rng(1).normal(2.0, 3.0, 500)
    found = Arm.of(values)
    assert (found.rows, found.binary) == (500, False)
    assert found.mean == pytest.approx(values.mean())
    assert found.variance == pytest.approx(np.var(values, ddof=1))
    assert Arm.of([]) == Arm(0)
    assert Arm.of([1.0, 0.0, 1.0]).binary


GOOD, POOR = Arm(500, 0.30, 0.21), Arm(500, 0.10, 0.09)


def test_the_shares_follow_what_was_earned_at_most_once_in_a_while() -> None:
    now = bandit()
    assert advance(now, earned(POOR, GOOD), now=HOUR - 1) == Hold("time", 3599, 7 * 86_400)
    decision = advance(now, earned(POOR, GOOD), now=HOUR)
    assert isinstance(decision, Reweigh) and (decision.weight, decision.look) == (95, 1)
    after = replace(now, share=95, look=1, weighed=HOUR)
    table = traffic(after, 3, {1: "sha256:a", 2: "sha256:b"}, "w")
    assert table is not None and [one.weight for one in table.variants] == [5.0, 95.0]
    assert isinstance(advance(after, earned(POOR, GOOD), now=3 * HOUR), Hold), "as it is"
    worse = advance(after, earned(GOOD, POOR), now=2 * HOUR)
    assert isinstance(worse, Reweigh) and (worse.weight, worse.look) == (5, 2)
    cheap = advance(bandit("cost"), earned(POOR, GOOD), now=HOUR)
    assert isinstance(cheap, Reweigh) and cheap.weight == 5


def test_with_nothing_earned_nothing_moves() -> None:
    assert isinstance(advance(bandit(), Observation(0, 0), now=HOUR), Hold)
    few = Arm(29, 3.0, 1.0, binary=False)
    assert isinstance(advance(bandit(), earned(few, few), now=HOUR), Hold)
    told = advance(bandit(), earned(few, few), now=7 * DAY)
    assert isinstance(told, Decide) and (told.winner, told.effect.value) == ("none", None)


@pytest.mark.parametrize(
    ("champion", "version", "metric", "winner"),
    [
        (POOR, GOOD, "clicks", "version"),
        (GOOD, POOR, "clicks", "champion"),
        (GOOD, POOR, "cost", "version"),
        (GOOD, GOOD, "clicks", "none"),
    ],
)
def test_the_result_is_told_at_the_end(
    champion: Arm, version: Arm, metric: str, winner: str
) -> None:
    told = advance(bandit(metric), earned(champion, version), now=7 * DAY)
    assert isinstance(told, Decide) and (told.metric, told.winner) == (metric, winner)
    assert told.effect.level == pytest.approx(0.9)


def test_a_guardrail_comes_first_and_a_pause_keeps_the_shares() -> None:
    bad = replace(earned(POOR, GOOD), error_rate=Estimate(0.5, 0.4, 0.6, 0.99, 900))
    assert isinstance(advance(bandit(), bad, now=HOUR), Rollback)
    wanted = advance(bandit(), earned(POOR, GOOD), now=HOUR)
    paused = restrained(bandit(paused=True), wanted, earned(POOR, GOOD), "")
    assert paused == Hold("paused", 1000, 0)
    assert not isinstance(wanted, Promote)


def test_tests_of_the_ids_shares_have_one_risk_together() -> None:
    """However many tables there are: 1/2, 1/6, 1/12 … of it."""
    risk = bandit().settings.false_rollbacks
    for look, part in ((0, 2), (1, 6), (2, 12)):
        bound = np.log(part / risk)
        now = bandit(look=look)
        assert not astray(now, Assignment(50, 100, 0.5, bound - 1e-9))
        assert astray(now, Assignment(50, 100, 0.5, bound + 1e-9))


def played(rates: tuple[float, float], seed: int, days: int = 14, delay: int = 2) -> list[int]:
    """The version's share after each day of 400 keys, whose rewards are final days later."""
    chance, now = np.random.default_rng(seed), bandit(started=f"w/{seed}")
    rewards: tuple[list[float], list[float]] = ([], [])
    waiting: list[tuple[int, int, float]] = []
    told = []
    for day in range(1, days + 1):
        version = chance.random(400) < now.weight / 100
        won = chance.random(400) < np.where(version, rates[1], rates[0])
        waiting += [
            (day + delay, int(arm), float(one)) for arm, one in zip(version, won, strict=True)
        ]
        for due, arm, one in waiting:
            if due == day:
                rewards[arm].append(one)
        seen = earned(Arm.of(rewards[0]), Arm.of(rewards[1]))
        wide = replace(now.settings, bandit=replace(now.settings.bandit, days=999))
        decision = advance(replace(now, settings=wide), seen, now=day * DAY)
        if isinstance(decision, Reweigh):
            now = replace(now, share=decision.weight, look=decision.look, weighed=day * DAY)
        told.append(now.weight)
    return told


def test_the_better_arm_wins_though_rewards_come_late() -> None:
    """0.20 against 0.12, two days late: in 99 of 100 plays it has most of the keys, and by a 99 %
    binomial bound we would see fewer than this one play in a hundred."""
    plays = 30
    won = sum(played((0.12, 0.20), seed)[-1] >= 80 for seed in range(plays))
    lost = sum(played((0.20, 0.12), seed)[-1] <= 20 for seed in range(plays))
    assert min(won, lost) >= binom.ppf(0.01, plays, 0.99)


def test_each_arm_keeps_its_floor_and_nothing_moves_before_the_first_window() -> None:
    for seed in range(10):
        told = played((0.05, 0.40), seed, days=10)
        assert told[:2] == [50, 50]
        assert all(5 <= one <= 95 for one in told)


def test_the_effect_is_the_difference_of_means() -> None:
    drawn = draws((POOR, GOOD), (1, 1))
    assert drawn is not None
    found = effect(drawn, (POOR, GOOD), 0.95)
    assert found.value == pytest.approx(0.2, abs=0.01) and found.count == 500
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high
