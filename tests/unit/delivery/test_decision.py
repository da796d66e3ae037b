"""The laws of a release: rows before steps, guardrails before all, weights that only grow."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.delivery.decision import Complete, Hold, Promote, Rollback, advance, restrained
from freehold.delivery.observation import Assignment, Observation
from freehold.domain.project import GuardrailSpec, MetricSpec, ReleaseSpec
from freehold.domain.release import GUARDRAILS, Release
from freehold.domain.statistics.estimate import Estimate


def around(value: float, reach: float) -> Estimate:
    return Estimate(value, value - reach, value + reach, 0.95, 500)


SETTINGS = ReleaseSpec(
    steps=(5, 25, 100),
    minimum_rows=300,
    guardrails=GuardrailSpec(),
    metrics={"money": MetricSpec(drop=0.5)},
)
CROSSED: dict[str, dict[str, Any]] = {
    "score-shift": {"score_shift": around(1.5, 0.5)},
    "quality-drop": {"quality_difference": around(-0.1, 0.05)},
    "latency-ratio": {"latency_ratio": {0.5: around(1.0, 0.1), 0.99: around(4.0, 1.0)}},
    "error-rate": {"error_rate": around(0.25, 0.05)},
    "metric:money": {"metrics": {"money": around(-1.0, 0.4)}},
}


def release(step: int = 0, **more: object) -> Release:
    whole = Release("m/1", "m", 2, 1, "canary", SETTINGS, step=step)
    return replace(whole, **more)  # type: ignore[arg-type]


finite = st.floats(-3, 3)
estimates = st.none() | st.builds(around, finite, st.floats(0, 3))
rates = st.none() | st.builds(around, st.floats(0, 0.5), st.floats(0, 0.5))
observations = st.builds(
    lambda rows, share, rate, latency, *rest: Observation(
        rows, math.floor(rows * share), rate, latency, *rest
    ),
    st.integers(0, 5_000),
    st.just(0.0) | st.floats(0, 1),
    rates,
    st.dictionaries(st.sampled_from((0.5, 0.99)), st.builds(around, finite, st.floats(0, 3))),
    estimates,
    estimates,
    st.dictionaries(st.just("money"), st.builds(around, finite, st.floats(0, 3))),
)


@given(observations, st.integers(0, 2))
def test_no_step_upwards_before_the_minimum_sample(seen: Observation, step: int) -> None:
    decision = advance(release(step), seen)
    if seen.rows < SETTINGS.minimum_rows:
        assert isinstance(decision, Hold | Rollback)


@given(observations, observations, st.integers(0, 2), st.sampled_from(sorted(CROSSED)))
def test_any_crossed_guardrail_rolls_back(
    seen: Observation, other: Observation, step: int, which: str
) -> None:
    """Whether in the running step or since an earlier one began."""
    crossed = replace(seen, **CROSSED[which])
    assert isinstance(advance(release(step), crossed, other), Rollback)
    assert isinstance(advance(release(step), other, crossed), Rollback)
    alone = advance(release(step), Observation(0, 0), replace(Observation(0, 0), **CROSSED[which]))
    assert isinstance(alone, Rollback) and alone.guardrail == which
    assert alone.value > alone.limit


@given(observations, st.integers(0, 2), st.booleans(), st.sampled_from(["", "frozen:weekly"]))
def test_a_pause_or_a_freeze_only_turns_steps_upwards_into_holds(
    seen: Observation, step: int, paused: bool, frozen: str
) -> None:
    now = release(step, paused=paused)
    wanted = advance(now, seen)
    decision = restrained(now, wanted, seen, frozen)
    if isinstance(wanted, Hold | Rollback) or not (paused or frozen):
        assert decision == wanted
    elif paused:
        assert decision == Hold("paused", seen.rows, 0)
    else:
        assert decision == Hold("frozen", seen.rows, 0, frozen)


@given(observations, st.integers(0, 2))
def test_no_step_upwards_while_ids_go_astray(seen: Observation, step: int) -> None:
    astray = replace(seen, rows=9_999, assignment=Assignment(80, 1_000, 0.05, 12.0))
    decision = advance(release(step), astray)
    assert isinstance(decision, Rollback) or decision == Hold("sample-ratio", 80, 50)
    as_asked = replace(seen, rows=9_999, assignment=Assignment(55, 1_000, 0.05, 2.0))
    assert not isinstance(advance(release(step), as_asked), Hold)


@given(st.floats(0.001, 0.2), st.lists(st.integers(1, 99), max_size=5, unique=True))
def test_all_bounds_share_the_stated_rate(rate: float, steps: list[int]) -> None:
    settings = replace(SETTINGS, false_rollbacks=rate, steps=(*sorted(steps), 100))
    whole = replace(release(), settings=settings)
    bounds = (len(GUARDRAILS) + len(settings.metrics)) * len(whole.steps)
    assert whole.risk * bounds == pytest.approx(rate)


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
    quiet = Observation(
        300, 0, around(0.004, 0.004), {0.5: around(1.0, 0.5)}, around(0.05, 0.1), around(0, 0.05)
    )
    assert [advance(release(step), quiet) for step in range(3)] == [
        Promote(25),
        Promote(100),
        Complete(),
    ]
    assert advance(release(), Observation(299, 0)) == Hold("rows", 299, 300)


def test_what_chance_explains_is_no_breach() -> None:
    noisy = Observation(
        300, 2, around(0.02, 0.01), {0.5: around(2.5, 1.0)}, around(0.4, 0.3), around(-0.05, 0.1)
    )
    assert advance(release(), noisy) == Promote(25)


def test_a_rollback_names_guardrail_value_and_limit() -> None:
    seen = Observation(400, 0, score_shift=around(1.5, 0.2))
    assert advance(release(), seen) == Rollback("score-shift", 1.5, 0.25)
    seen = Observation(400, 0, quality_difference=around(-0.1, 0.02))
    assert advance(release(), seen) == Rollback("quality-drop", 0.1, 0.02)
    seen = Observation(400, 40, around(0.1, 0.05))
    assert advance(release(), seen) == Rollback("error-rate", 0.1, 0.01)


def test_a_metric_that_should_be_low_is_turned_around() -> None:
    cost = {"money": MetricSpec(drop=0.5, better="lower")}
    dear = Observation(400, 0, metrics={"money": around(1.0, 0.4)})
    now = release(settings=replace(SETTINGS, metrics=cost))
    assert advance(now, dear) == Rollback("metric:money", 1.0, 0.5)
    assert advance(release(), dear) == Promote(25)


def test_an_immediate_release_completes() -> None:
    now = release(previous=None, strategy="immediate")
    assert advance(now, Observation(0, 0)) == Complete()


def test_an_unknown_estimate_is_no_breach() -> None:
    unknown = Estimate.unknown("one-class", 300)
    seen = Observation(300, 0, unknown, {0.5: unknown}, unknown, unknown, {"money": unknown})
    assert advance(release(), seen) == Promote(25)
