"""The laws of a release: rows before steps, guardrails before all, weights that only grow."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.delivery.decision import (
    Complete,
    Hold,
    Promote,
    Rollback,
    advance,
    binomial_tail,
    exceeds,
)
from freehold.delivery.observation import Observation
from freehold.domain.project import GuardrailSpec, ReleaseSpec
from freehold.domain.release import Release
from freehold.domain.statistics.estimate import Estimate

SETTINGS = ReleaseSpec(steps=(5, 25, 100), minimum_rows=300, guardrails=GuardrailSpec())


def release(step: int = 0, **more: object) -> Release:
    whole = Release("m/1", "m", 2, 1, "canary", SETTINGS, step=step)
    return replace(whole, **more)  # type: ignore[arg-type]


def around(value: float, reach: float) -> Estimate:
    return Estimate(value, value - reach, value + reach, 0.95, 500)


finite = st.floats(-3, 3)
estimates = st.none() | st.builds(around, finite, st.floats(0, 3))
observations = st.builds(
    lambda rows, share, *rest: Observation(rows, math.floor(rows * share), *rest),
    st.integers(0, 5_000),
    st.just(0.0) | st.floats(0, 1),
    estimates,
    estimates,
    estimates,
)


@given(observations, st.integers(0, 2))
def test_no_step_upwards_before_the_minimum_sample(seen: Observation, step: int) -> None:
    decision = advance(release(step), seen)
    if seen.rows < SETTINGS.minimum_rows:
        assert isinstance(decision, Hold | Rollback)


@given(observations, st.integers(0, 2), st.sampled_from(["score", "quality", "latency", "error"]))
def test_any_crossed_guardrail_rolls_back(seen: Observation, step: int, which: str) -> None:
    crossed = {
        "score": {"score_shift": around(1.5, 0.5)},
        "quality": {"quality_difference": around(-0.1, 0.05)},
        "latency": {"latency_ratio": around(4.0, 1.0)},
        "error": {"rows": 400, "errors": 100},
    }[which]
    decision = advance(release(step), replace(seen, **crossed))  # type: ignore[arg-type]
    assert isinstance(decision, Rollback)


@given(st.lists(observations, max_size=30))
def test_weights_only_grow_and_the_end_is_the_end(seen: list[Observation]) -> None:
    now, weight = release(), 5
    for observation in seen:
        decision = advance(now, observation)
        if now.status != "running":
            assert decision == Hold("finished", observation.rows, 0)
        elif isinstance(decision, Promote):
            assert decision.weight > weight
            weight = decision.weight
            now = replace(now, step=now.steps.index(weight))
        elif isinstance(decision, Complete):
            assert weight == 100
            now = replace(now, status="completed")
        elif isinstance(decision, Rollback):
            now = replace(now, status="rolled-back")


def test_a_quiet_canary_walks_up() -> None:
    quiet = Observation(300, 0, around(1.0, 0.5), around(0.05, 0.1), around(0.0, 0.05))
    assert [advance(release(step), quiet) for step in range(3)] == [
        Promote(25),
        Promote(100),
        Complete(),
    ]
    assert advance(release(), Observation(299, 0)) == Hold("rows", 299, 300)


def test_what_chance_explains_is_no_breach() -> None:
    noisy = Observation(300, 2, around(2.5, 1.0), around(0.4, 0.3), around(-0.05, 0.1))
    assert advance(release(), noisy) == Promote(25)


def test_a_rollback_names_guardrail_value_and_limit() -> None:
    seen = Observation(400, 0, score_shift=around(1.5, 0.2))
    assert advance(release(), seen) == Rollback("score-shift", 1.5, 0.25)
    seen = Observation(400, 0, quality_difference=around(-0.1, 0.02))
    assert advance(release(), seen) == Rollback("quality-drop", 0.1, 0.02)
    assert advance(release(), Observation(400, 40)) == Rollback("error-rate", 0.1, 0.01)


def test_an_immediate_release_completes() -> None:
    now = release(previous=None, strategy="immediate")
    assert advance(now, Observation(0, 0)) == Complete()


def test_an_unknown_estimate_is_no_breach() -> None:
    unknown = Estimate.unknown("one-class", 300)
    assert advance(release(), Observation(300, 0, unknown, unknown, unknown)) == Promote(25)


@pytest.mark.parametrize(
    ("errors", "rows", "limit", "beyond"),
    [
        (0, 0, 0.01, False),
        (1, 1, 0.01, False),  # one row proves little
        (2, 2, 0.01, True),
        (1, 1, 0.0, True),
        (1, 20, 0.01, False),
        (5_000, 5_000, 0.01, True),
        (60, 5_000, 0.01, False),
        (80, 5_000, 0.01, True),
    ],
)
def test_errors_beyond_chance(errors: int, rows: int, limit: float, beyond: bool) -> None:
    assert exceeds(errors, rows, limit) is beyond


@given(st.integers(1, 60), st.floats(0.001, 0.5), st.data())
def test_the_tail_is_the_sum_of_its_terms(rows: int, rate: float, data: st.DataObject) -> None:
    errors = data.draw(st.integers(min(math.ceil(rows * rate), rows), rows))
    exact = sum(
        math.comb(rows, n) * rate**n * (1 - rate) ** (rows - n) for n in range(errors, rows + 1)
    )
    assert binomial_tail(errors, rows, rate) == pytest.approx(exact, rel=1e-9)
