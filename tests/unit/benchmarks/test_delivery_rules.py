"""The simulated rule decides as the product does, and keeps the product's promise."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from benchmarks.delivery import mismatch
from benchmarks.delivery.rules import DROP, RULES, Course, first_looks, simulated
from benchmarks.delivery.traffic import (
    BASELINE,
    Requests,
    World,
    auc,
    drawn,
    stability_of,
    tilted,
)
from freehold.delivery.decision import astray, breach
from freehold.delivery.measurement import metric_difference, observe
from freehold.delivery.observation import Assignment, Observation
from freehold.domain.profile import NumberProfile
from freehold.domain.project import GuardrailSpec
from freehold.domain.statistics.assignment import log_mismatch
from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.ranking import auc as one_auc
from freehold.domain.statistics.rows import scored

SHORT = Course(every=100, requests=600, starts=(0, 300))
TIGHT = replace(SHORT, limits=GuardrailSpec(latency_ratio=1.2, score_shift=0.1))
BAD = World(errors=0.05, slower=1.9, scores=tilted(0.3), noise=4.0, earned=0.3)
EDGES = tuple(np.arange(11.0).tolist())
PROFILE = NumberProfile(4_000, 0, EDGES, tuple(map(int, BASELINE)), (), (), ())


def log_of(seen: Requests, release: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One release as the product reads it: the log's rows, and the labels in their order. A score
    is its bin where the bins are asked, so two logs in one would differ: quality has its own."""
    count = seen.failed.shape[1]
    rows = pl.DataFrame(
        {
            "prediction_id": [f"p{n}" for n in range(count)],
            "request_id": [f"r{n}" for n in range(count)],
            "at": range(count),
            "score": seen.canary_score[release],
            "reference_score": seen.champion_score[release],
            "latency_us": seen.canary_time[release],
            "reference_latency_us": seen.champion_time[release],
            "error": ["model.failed" if one else None for one in seen.failed[release]],
        },
        schema_overrides={"error": pl.String},
    )
    labels = rows.select("prediction_id", label=pl.Series(seen.positive[release]).cast(pl.Int8))
    return rows, labels


def observed(seen: Requests, release: int, start: int, end: int, course: Course) -> Observation:
    rows, labels = (part[start:end] for part in log_of(seen, release))
    known = seen.known[release, start:end]
    came = known.argsort(kind="stable")
    labels = labels[came[known[came] <= end]]
    risk = course.release.risk
    binned = rows.with_columns(
        # In the middle of its bin.
        score=pl.Series(seen.canary_bin[release, start:end] - 1.5),
        reference_score=pl.Series(seen.champion_bin[release, start:end] - 1.5),
    )
    moved = observe(binned, risk, PROFILE, PROFILE).score_shift
    until = min(end, *(one for one in (*course.starts, course.requests) if one > start))
    earned = earned_by(seen, release, start, until, end, risk)
    return replace(observe(rows, risk, labels=labels), score_shift=moved, metrics=earned)


def earned_by(
    seen: Requests, release: int, start: int, until: int, now: int, risk: float
) -> dict[str, Estimate]:
    """Of the requests of one step, of either version, what has come by now."""
    within = slice(start, until)
    arms = {
        version: values[release, within]
        for version, values in ((1, seen.champion_earned), (2, seen.canary_earned))
    }
    rows = pl.concat(
        pl.DataFrame(
            {"prediction_id": [f"v{version}-{n}" for n in range(len(values))]}
        ).with_columns(version=pl.lit(version), earned=pl.Series(values))
        for version, values in arms.items()
    )
    come = np.tile(seen.known[release, within] <= now, 2)
    outcomes = rows.filter(pl.Series(come)).select("prediction_id", "earned")
    found = metric_difference(rows, outcomes, "earned", 2, risk)
    return {} if found is None else {"earned": found}


@pytest.mark.parametrize("late", [0.0, 60.0])
@pytest.mark.parametrize("guard", ["errors", "latency", "scores", "quality", "earned"])
def test_the_simulated_rule_is_the_products(guard: str, late: float) -> None:
    course = replace(TIGHT, guards=(guard,))
    seen = drawn(replace(BAD, late=late), 6, course.requests, np.random.default_rng(1))
    expected = []
    for release in range(6):
        crossed = []
        for rows in course.looks.tolist():
            looks = [
                observed(seen, release, start, rows, course)
                for start in course.starts
                if start < rows
            ]
            crossed.append(breach(course.release, *(only(guard, one) for one in looks)))
        expected.append(next((n for n, one in enumerate(crossed) if one), len(crossed)))
    assert RULES["ours"](seen, course).tolist() == expected
    assert min(expected) < len(course.looks)


def only(guard: str, seen: Observation) -> Observation:
    name = {
        "errors": "error_rate",
        "latency": "latency_ratio",
        "scores": "score_shift",
        "quality": "quality_difference",
        "earned": "metrics",
    }[guard]
    return replace(Observation(0, 0), **{name: getattr(seen, name)})


def false_rollbacks(world: World, releases: int, course: Course) -> int:
    random = np.random.default_rng(2)
    looks = simulated(world, course, releases, ["ours"], random)["ours"]
    return int((looks < len(course.looks)).sum())


WRONG = World(errors=0.01, slower=2.0, scores=tilted(0.178), noise=0.6, earned=1 - DROP)
"""As bad as is just allowed: `test_limits_are_reached` says so."""


def test_limits_are_reached() -> None:
    assert stability_of(WRONG.scores) == pytest.approx(GuardrailSpec().score_shift, abs=0.01)
    seen = drawn(WRONG, 1, 1_000_000, np.random.default_rng(3))
    assert seen.failed.mean() == pytest.approx(0.01, abs=0.001)
    ours, theirs = (
        float(auc(scores, seen.positive)[0]) for scores in (seen.canary_score, seen.champion_score)
    )
    assert theirs - ours == pytest.approx(GuardrailSpec().quality_drop, abs=0.004)
    lost = seen.champion_earned.mean() - seen.canary_earned.mean()
    assert lost == pytest.approx(DROP, abs=0.005)


@pytest.mark.parametrize("world", [World(), WRONG], ids=["nothing wrong", "at the limits"])
@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_a_thousand_releases_with_nothing_wrong(world: World, rate: float) -> None:
    course = Course(every=50, requests=900, starts=(0, 300, 600), false_rollbacks=rate)
    assert false_rollbacks(world, 1_000, course) <= stats.binom.ppf(0.99, 1_000, rate)


@pytest.mark.long
@pytest.mark.parametrize("world", [World(), WRONG], ids=["nothing wrong", "at the limits"])
def test_ten_thousand_releases_with_nothing_wrong(world: World) -> None:
    course = Course(every=50, requests=1_800, starts=(0, 600, 1_200))
    assert false_rollbacks(world, 10_000, course) <= stats.binom.ppf(0.99, 10_000, 0.01)


ALL = ("errors", "latency", "scores", "quality", "earned")
CONSTANT = Course(every=1, requests=600, starts=(0, 200, 400), guards=ALL)
"""Looked at after every request."""


@pytest.mark.parametrize("world", [World(), WRONG], ids=["nothing wrong", "at the limits"])
@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_late_labels_a_metric_and_two_sites_share_the_rate(world: World, rate: float) -> None:
    course = Course(every=50, requests=900, starts=(0, 300, 600), guards=ALL, sites=2)
    course = replace(course, false_rollbacks=rate)
    found = false_rollbacks(replace(world, late=200.0), 250, course)
    assert found <= stats.binom.ppf(0.99, 250, rate)


@pytest.mark.parametrize("world", [World(), WRONG], ids=["nothing wrong", "at the limits"])
def test_a_look_after_every_request_keeps_the_rate(world: World) -> None:
    course = replace(CONSTANT, requests=300, starts=(0, 150), false_rollbacks=0.2)
    found = false_rollbacks(replace(world, late=50.0), 50, course)
    assert found <= stats.binom.ppf(0.99, 50, 0.2)


@pytest.mark.long
@pytest.mark.parametrize("world", [World(), WRONG], ids=["nothing wrong", "at the limits"])
def test_ten_thousand_releases_at_two_sites_with_late_labels_and_a_metric(world: World) -> None:
    course = Course(every=50, requests=1_800, starts=(0, 600, 1_200), guards=ALL, sites=2)
    found = false_rollbacks(replace(world, late=200.0), 10_000, course)
    assert found <= stats.binom.ppf(0.99, 10_000, 0.01)


@pytest.mark.long
@pytest.mark.parametrize("world", [World(), WRONG], ids=["nothing wrong", "at the limits"])
@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_a_thousand_releases_looked_at_after_every_request(world: World, rate: float) -> None:
    course = replace(CONSTANT, false_rollbacks=rate)
    found = false_rollbacks(replace(world, late=200.0), 1_000, course)
    assert found <= stats.binom.ppf(0.99, 1_000, rate)


@pytest.mark.parametrize(
    ("guard", "world"),
    [
        ("errors", World(errors=0.05)),
        ("latency", World(slower=3.0)),
        ("scores", World(scores=tilted(0.6))),
        ("quality", World(noise=3.0)),
        ("quality", World(noise=3.0, late=200.0)),
        ("earned", World(earned=0.5, late=200.0)),
    ],
)
def test_what_is_planted_is_caught(guard: str, world: World) -> None:
    course = Course(every=100, requests=2_000, guards=(guard,))
    seen = drawn(world, 100, course.requests, np.random.default_rng(4))
    caught = RULES["ours"](seen, course) < len(course.looks)
    assert caught.mean() > 0.95


def test_looks_that_are_repeated_and_thresholds_break_the_promise() -> None:
    """What the comparison is for: the same traffic, the same limits."""
    course = Course(every=50, requests=900, starts=(0, 300, 600))
    seen = drawn(WRONG, 300, course.requests, np.random.default_rng(5))
    found = first_looks(seen, course, list(RULES))
    shares = {name: (looks < len(course.looks)).mean() for name, looks in found.items()}
    assert shares["ours"] <= 0.02
    assert shares["a single look's tests, repeated"] > 0.1
    assert shares["fixed threshold"] > 0.5


def test_auc_of_many_is_that_of_one() -> None:
    random = np.random.default_rng(6)
    scores, positive = random.normal(size=(3, 50)), random.random((3, 50)) < 0.4
    for found, *rows in zip(auc(scores, positive), scores, positive, strict=True):
        assert found == pytest.approx(one_auc(scored(*rows)).value)


def test_a_mismatch_is_held_as_the_product_holds_it() -> None:
    seen = mismatch.counted(0.04, 3, np.random.default_rng(5))
    release = Course(every=250, requests=250).release
    risk = release.settings.false_rollbacks / len(release.steps)
    ours, *_ = mismatch.held(seen, 0.05, risk)
    for counts, look in zip(seen.tolist(), ours.tolist(), strict=True):
        told = [
            astray(release, Assignment(count, ids, 0.05, log_mismatch(*_of(count, ids, 0.05))))
            for count, ids in zip(counts, mismatch.LOOKS.tolist(), strict=True)
        ]
        assert any(told) and told.index(True) == look


def _of(count: int, ids: int, share: float) -> tuple[tuple[int, int], tuple[float, float]]:
    return (count, ids - count), (share, 1 - share)
