from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from freehold.domain.canonical import canonical
from freehold.domain.project import MonitoringSpec
from freehold.domain.signal import Signal, Window, days_between
from freehold.domain.statistics.figures import Measures
from freehold.domain.statistics.rows import scored
from freehold.domain.statistics.summary import measure
from freehold.monitoring.drift import drift
from freehold.monitoring.profile import profile
from freehold.monitoring.signals import Observation, assess, fresh

WINDOW = Window("2013-07-01", "2013-07-07")
SETTINGS = MonitoringSpec()
SEEN = Observation("flight-delay", 1, WINDOW)


def table(seed: int, count: int, shift: float = 0.0) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "wind": generator.gamma(2, 5, count) + 30 * shift,
            "hour": generator.integers(5, 24, count),
            "carrier": generator.choice(list("ABCDEFGHIJKLMNOP"), count),
        }
    )


def scores(seed: int, count: int, shift: float = 0.0) -> np.ndarray:
    return 1 / (1 + np.exp(1.2 - shift - np.random.default_rng(seed).normal(size=count)))


def measured(rate: float, skill: float, count: int = 4000, seed: int = 0) -> Measures:
    """Labels of a base rate, predicted with a skill from 0 (by lot) to 1 (always right)."""
    generator = np.random.default_rng(seed)
    labels = generator.random(count) < rate
    guess = np.where(generator.random(count) < skill, labels, generator.random(count) < rate)
    return measure(scored(np.where(guess, 0.9, 0.1), labels))


def test_drift_of_the_score_asks_for_action_and_of_features_warns() -> None:
    known = profile(table(0, 20_000), scores=scores(0, 20_000))
    report = drift(known, table(1, 4000, 0.4), scores=scores(1, 4000, 0.8))
    found = assess(replace(SEEN, drift=report), SETTINGS)
    assert [(one.kind, one.feature, one.severity) for one in found] == [
        ("score-drift", None, "action"),
        ("feature-drift", "wind", "warning"),
    ]
    first = found[0]
    assert first.low < first.value < first.high and first.value > first.limit == 0.3
    assert (first.rows, first.window) == (4000, WINDOW)
    assert Signal.from_json(first.as_json()) == first and canonical(first.as_json())


def test_a_line_is_crossed_by_more_not_by_as_much() -> None:
    known = profile(table(0, 20_000), scores=scores(0, 20_000))
    report = drift(known, table(1, 4000), scores=scores(1, 4000, 0.8))
    value = report.score.shift.psi.value
    seen = replace(SEEN, drift=report)
    assert assess(seen, MonitoringSpec(score_psi=value)) == []
    assert len(assess(seen, MonitoringSpec(score_psi=value - 1e-9))) == 1


@pytest.mark.parametrize("rows", [30, 100, 500])
def test_traffic_that_does_not_change_raises_no_alarm(rows: int) -> None:
    known = profile(table(0, 20_000), scores=scores(0, 20_000))
    alarms = 0
    for seed in range(1, 41):
        report = drift(known, table(seed, rows), scores=scores(seed, rows), minimum_rows=1)
        alarms += len(assess(replace(SEEN, drift=report), MonitoringSpec(minimum_rows=1)))
    # Four figures a window, each beyond chance one time in forty at most.
    assert alarms <= 4 if rows < 500 else alarms == 0


def test_quality_that_does_not_change_raises_no_alarm() -> None:
    reference = measured(0.25, 0.5, 20_000)
    windows = [measured(0.25, 0.5, 500, seed) for seed in range(1, 101)]
    found = [assess(replace(SEEN, reference=reference, quality=one), SETTINGS) for one in windows]
    assert sum(map(len, found)) <= 3


def test_accuracy_may_rise_while_quality_falls() -> None:
    reference, now = measured(0.3, 0.5), measured(0.1, 0.2, seed=1)
    assert now.accuracy.value > reference.accuracy.value
    (found,) = assess(replace(SEEN, reference=reference, quality=now), SETTINGS)
    assert (found.kind, found.severity, found.limit) == ("quality", "action", 0.05)
    fall = reference.net_accuracy.value - now.net_accuracy.value
    assert found.value == pytest.approx(fall) and 0 < found.low < fall < found.high


def test_a_fall_that_may_be_chance_is_no_signal() -> None:
    reference = measured(0.3, 0.5, 600)
    now = measured(0.3, 0.35, 60, seed=3)
    assert reference.net_accuracy.value - now.net_accuracy.value > 0.05
    low = MonitoringSpec(minimum_rows=10)
    assert assess(replace(SEEN, reference=reference, quality=now), low) == []


def test_few_rows_or_no_reference_give_no_signal() -> None:
    reference, now = measured(0.3, 0.9), measured(0.3, 0.0, seed=1)
    seen = replace(SEEN, reference=reference, quality=now)
    assert len(assess(seen, SETTINGS)) == 1
    assert assess(seen, MonitoringSpec(minimum_rows=4001)) == []
    assert assess(replace(seen, reference=None), SETTINGS) == []
    assert assess(replace(seen, quality=measure(scored([], []))), SETTINGS) == []
    known = profile(table(0, 20_000), scores=scores(0, 20_000))
    report = drift(known, table(1, 400, 0.4), scores=scores(1, 400, 1), minimum_rows=1)
    assert assess(replace(SEEN, drift=report), SETTINGS) == []


def test_a_drift_that_lasts_is_recorded_once_a_cool_down() -> None:
    first = Signal("feature-drift", "m", 1, "wind", 0.4, 0.2, 0.3, 0.5, 0.95, 900, WINDOW)
    days = [f"2013-07-{day:02d}" for day in range(7, 31)]
    raised: list[Signal] = []
    for day in days:
        now = replace(first, window=Window(WINDOW.start, day))
        raised += fresh([now], raised, SETTINGS)
    assert [one.window.end for one in raised] == ["2013-07-07", "2013-07-21"]
    other = [replace(first, feature="hour"), replace(first, version=2)]
    assert fresh(other, raised, SETTINGS) == other


def test_days_are_counted_across_months() -> None:
    assert days_between("2013-02-27", "2013-03-01") == 2
    assert days_between("2013-03-01", "2013-02-27") == -2
