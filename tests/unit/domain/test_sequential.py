"""Bounds that may be looked at after every row: what they promise, over thousands of simulations.

Each simulation looks all the time; it fails if any look excludes the truth. That so many fail is
held against the 99 % quantile of the binomial of the stated risk.
"""

from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from freehold.domain.statistics import asymptotic, betting, pairs, quantiles, stability
from freehold.domain.statistics.assignment import log_mismatch
from freehold.domain.statistics.betting import EVENTS, bounds, log_capital
from freehold.domain.statistics.ranking import auc
from freehold.domain.statistics.rows import scored

RISK = 0.05
RUNS = 2_000
LOOKS = np.arange(20, 2_001, 20)
risks = st.floats(1e-6, 0.2)
histograms = st.lists(st.integers(0, 300), min_size=2, max_size=9)


def within(failures: int, runs: int, risk: float = RISK) -> bool:
    return failures <= stats.binom.ppf(0.99, runs, risk)


def spread(counts: list[int]) -> np.ndarray:
    return np.linspace(0, 1, len(counts))


# A mean of values between 0 and 1


@given(histograms, risks)
def test_the_bounds_hold_the_sample_mean_between_them(counts: list[int], risk: float) -> None:
    values = spread(counts)
    low, high = bounds(values, counts, risk)
    assert 0 <= low <= high <= 1
    if sum(counts):
        mean = values @ np.array(counts) / sum(counts)
        assert low <= mean + 1e-9 and mean - 1e-9 <= high


@given(histograms, risks, risks)
def test_a_smaller_risk_has_wider_bounds(counts: list[int], one: float, other: float) -> None:
    values, (small, large) = spread(counts), sorted((one, other))
    wide, narrow = bounds(values, counts, small), bounds(values, counts, large)
    assert wide[0] <= narrow[0] + 2e-9 and narrow[1] - 2e-9 <= wide[1]


@given(histograms, risks)
def test_what_is_turned_around_has_bounds_that_are(counts: list[int], risk: float) -> None:
    values = spread(counts)
    low, high = bounds(values, counts, risk)
    assert bounds(1 - values, counts, risk) == pytest.approx((1 - high, 1 - low), abs=1e-8)


@given(histograms, st.floats(0.001, 1), st.floats(0.001, 1))
def test_capital_falls_as_the_mean_grows(counts: list[int], one: float, other: float) -> None:
    small, large = sorted((one, other))
    capital = [float(log_capital(spread(counts), counts, mean)) for mean in (small, large)]
    assert capital[0] >= capital[1] - 1e-9


@given(st.floats(0.01, 0.99))
def test_a_bet_on_a_true_mean_is_fair(mean: float) -> None:
    """What it may come to after two rows, each weighed by its chance, is what it began with."""
    capital = sum(
        np.exp(log_capital(EVENTS, [2 - ones, ones], mean)) * stats.binom.pmf(ones, 2, mean)
        for ones in range(3)
    )
    assert capital == pytest.approx(1)


def test_a_mean_of_nothing_is_refuted_by_the_first_event() -> None:
    assert log_capital(EVENTS, [5, 0], 0.0) <= 0
    assert log_capital(EVENTS, [5, 1], 0.0) == inf


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.5])
def test_events_at_their_rate_are_seldom_beyond_it(rate: float) -> None:
    ones = np.random.default_rng(1).random((RUNS, LOOKS[-1])) < rate
    seen = ones.cumsum(axis=1)[:, LOOKS - 1]
    counts = np.stack([LOOKS - seen, seen], axis=-1)
    above = log_capital(EVENTS, counts, rate) >= log(1 / RISK)
    below = log_capital(1 - EVENTS, counts, 1 - rate) >= log(1 / RISK)
    assert within(int(above.any(axis=1).sum()), RUNS)
    assert within(int(below.any(axis=1).sum()), RUNS)


def test_a_rate_that_drifts_but_never_passes_the_limit_is_seldom_told() -> None:
    """The bound asks for no law: only that no row's chance is above the limit."""
    rates = 0.02 * (1 + np.sin(np.arange(LOOKS[-1]) / 100)) / 2
    ones = np.random.default_rng(2).random((RUNS, LOOKS[-1])) < rates
    seen = ones.cumsum(axis=1)[:, LOOKS - 1]
    counts = np.stack([LOOKS - seen, seen], axis=-1)
    told = (log_capital(EVENTS, counts, 0.02) >= log(1 / RISK)).any(axis=1)
    assert within(int(told.sum()), RUNS)


def test_bounds_narrow_as_rows_come() -> None:
    widths = [high - low for low, high in (bounds(EVENTS, [9 * n, n], RISK) for n in (5, 50, 500))]
    assert widths == sorted(widths, reverse=True)


def test_no_rows_bound_nothing() -> None:
    assert bounds(EVENTS, [0, 0], RISK) == (0.0, 1.0)


# Quantiles


@given(st.integers(0, 3_000), st.sampled_from((0.01, 0.5, 0.9, 0.99)), risks)
def test_ranks_lie_around_the_quantile(count: int, quantile: float, risk: float) -> None:
    low, high = quantiles.ranks(count, quantile, risk)
    assert 0 <= low <= quantile * count + 1 and quantile * count <= high <= count + 1


@given(st.integers(1, 2_000), risks)
def test_ranks_of_a_quantile_mirror_those_of_its_complement(count: int, risk: float) -> None:
    low, high = quantiles.ranks(count, 0.9, risk)
    assert quantiles.ranks(count, 0.1, risk) == (count + 1 - high, count + 1 - low)


@pytest.mark.parametrize("quantile", [0.5, 0.99])
@pytest.mark.parametrize("tied", [False, True])
def test_a_quantile_is_seldom_beyond_its_bounds(quantile: float, tied: bool) -> None:
    values = np.random.default_rng(3).exponential(size=(RUNS, LOOKS[-1]))
    truth = -log(1 - quantile)
    if tied:
        values, truth = np.ceil(values), np.ceil(truth)
    below = (values < truth).cumsum(axis=1)[:, LOOKS - 1]
    upto = (values <= truth).cumsum(axis=1)[:, LOOKS - 1]
    ranks = np.array([quantiles.ranks(int(n), quantile, RISK) for n in LOOKS])
    # The value of rank r is above the truth if fewer than r are up to it; below, if r are below.
    assert within(int((upto < ranks[:, 0]).any(axis=1).sum()), RUNS)
    assert within(int((below >= ranks[:, 1]).any(axis=1).sum()), RUNS)


def test_a_ratio_of_quantiles() -> None:
    values = np.arange(1.0, 4_001)
    found = quantiles.ratio(3 * values, values, 0.5, RISK)
    assert found is not None and found.low is not None and found.high is not None
    assert found.value == pytest.approx(3) and 2.6 < found.low < 3 < found.high < 3.4
    assert quantiles.ratio(values[:50], values[:50], 0.99, RISK) is None
    assert quantiles.bounds(values[:50], 0.99, RISK)[1] == inf


# Means without limits


def test_a_mean_of_heavy_values_is_seldom_beyond_its_asymptotic_bounds() -> None:
    """Money: most earn nothing, some a lot."""
    random = np.random.default_rng(4)
    values = random.lognormal(0, 1, (RUNS, LOOKS[-1])) * (random.random((RUNS, LOOKS[-1])) < 0.3)
    truth = 0.3 * np.exp(0.5)
    looks = LOOKS[LOOKS >= asymptotic.FEWEST]
    mean = values.cumsum(axis=1)[:, looks - 1] / looks
    deviation = np.sqrt((values**2).cumsum(axis=1)[:, looks - 1] / looks - mean**2)
    reach = deviation * asymptotic.reach(looks, RISK)
    assert within(int((mean - reach > truth).any(axis=1).sum()), RUNS)


@given(st.integers(100, 10**7), risks)
def test_reach_is_above_that_of_a_single_look(rows: int, risk: float) -> None:
    reach = float(asymptotic.reach(rows, risk))
    assert reach > stats.norm.isf(risk) / np.sqrt(rows)
    assert reach > float(asymptotic.reach(rows + 1, risk))


def test_a_difference_of_two_arms() -> None:
    random = np.random.default_rng(5)
    moments = [asymptotic.Moments.of(random.normal(m, 2, n)) for m, n in ((1.5, 900), (1, 3_000))]
    found = asymptotic.difference(*moments, RISK)
    assert found.low is not None and found.high is not None and found.low < 0.5 < found.high
    back = asymptotic.difference(*moments[::-1], RISK)
    assert (back.low, back.high) == (-found.high, -found.low)
    few = asymptotic.difference(moments[0], asymptotic.Moments.of([1.0] * 99), RISK)
    assert (few.value, few.reason) == (None, "too-few-rows")


# AUC of two models on the same rows

labelled = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), min_size=1, max_size=60
)


@given(labelled)
def test_a_blocks_gain_is_the_difference_of_its_aucs(rows: list[tuple[int, int, bool]]) -> None:
    ours, theirs = (np.array([row[n] for row in rows], np.float64) for n in (0, 1))
    positive = np.array([row[2] for row in rows])
    found = pairs.gains(ours, theirs, positive)
    ends, start = pairs.blocks(positive), 0
    assert len(found) == len(ends)
    for gain, end in zip(found, ends, strict=True):
        part = slice(start, end + 1)
        one, other = (auc(scored(s[part], positive[part])).value for s in (ours, theirs))
        assert one is not None and other is not None
        assert gain == pytest.approx(one - other)
        start = end + 1


@given(labelled, risks)
def test_a_gain_turned_around_is_a_loss(rows: list[tuple[int, int, bool]], risk: float) -> None:
    ours, theirs = (np.array([row[n] for row in rows], np.float64) for n in (0, 1))
    positive = np.array([row[2] for row in rows])
    one = pairs.auc_difference(ours, theirs, positive, risk)
    other = pairs.auc_difference(theirs, ours, positive, risk)
    if one.value is None:
        assert other.value is None
        return
    assert one.low is not None and one.high is not None
    assert one.low <= one.value + 1e-9 and one.value - 1e-9 <= one.high
    found = (other.value, other.low, other.high)
    assert found == pytest.approx((-one.value, -one.high, -one.low), abs=1e-7)


def test_equal_models_are_seldom_told_apart_by_auc() -> None:
    random, looks = np.random.default_rng(6), range(25, 301, 25)
    failures = 0
    for _ in range(400):
        truth = random.normal(-1, 1.5, 600)
        ours, theirs = (truth + random.normal(0, 1, 600) for _ in range(2))
        found = pairs.gains(ours, theirs, random.random(600) < 1 / (1 + np.exp(-truth)))
        rounded = pairs.places(found, upwards=False)
        counted = np.array([np.bincount(rounded[:n], minlength=481) for n in looks])
        failures += bool((log_capital(pairs.VALUES, counted, 0.5) >= log(1 / RISK)).any())
    assert within(failures, 400)


# Shift of scores

FLAT = np.array([0, *[400] * 10, 0])


def together(random: np.random.Generator, rows: int, ours: list[float]) -> np.ndarray:
    """[rows, 12, 12], one row after the other."""
    bins = [random.choice(12, rows, p=share) for share in (ours, FLAT / FLAT.sum())]
    found = np.zeros((rows, 12, 12))
    found[np.arange(rows), bins[0], bins[1]] = 1
    return found.cumsum(axis=0)


EVEN = [0.0, *[0.1] * 10, 0.0]
TILTED = [0.0, 0.2, 0.17, 0.13, 0.1, 0.1, 0.08, 0.07, 0.06, 0.05, 0.04, 0.0]
EMPTIED = [0.0, 0.01, 0.002, 0.008, 0.14, 0.14, 0.14, 0.14, 0.14, 0.14, 0.14, 0.0]


@pytest.mark.parametrize("share", [EVEN, TILTED, EMPTIED], ids=["none", "some", "rare"])
def test_a_shift_is_seldom_beyond_its_bounds(share: list[float]) -> None:
    random, looks = np.random.default_rng(7), np.arange(100, 1_001, 20)
    truth = float(stability.stability(FLAT * 1e6, np.array(share) * 1e9).value)
    counts = np.array([together(random, 1_000, share)[looks - 1] for _ in range(400)])
    value, reach = stability.excess(FLAT * 1e6, FLAT * 1e6, counts, RISK)
    assert within(int((value - reach > truth).any(axis=1).sum()), 400)


def test_a_shift_of_both_is_none_and_of_one_is_some() -> None:
    rows = np.zeros((12, 12))
    rows[(range(1, 11), range(1, 11))] = [200, 150, 50, 20, 20, 20, 10, 10, 10, 10]
    both = stability.shift_difference(FLAT, FLAT, rows, RISK)
    assert both.value == pytest.approx(0)
    alone = np.outer(rows.sum(axis=1), FLAT / FLAT.sum())
    one = stability.shift_difference(FLAT, FLAT, alone.round(), RISK)
    assert one.low is not None and one.low > 0.25
    back = stability.shift_difference(FLAT, FLAT, alone.round().T, RISK)
    assert (back.low, back.high) == pytest.approx((-one.high, -one.low))  # type: ignore[operator]
    few = stability.shift_difference(FLAT, FLAT, np.eye(12) * 8, RISK)
    assert (few.value, few.reason) == (None, "too-few-rows")


# Where ids went


@given(st.lists(st.integers(0, 500), min_size=2, max_size=4))
def test_evidence_does_not_depend_on_the_variants_order(counts: list[int]) -> None:
    shares = np.arange(1, len(counts) + 1) / sum(range(1, len(counts) + 1))
    order = list(range(len(counts)))[::-1]
    one = log_mismatch(counts, shares.tolist())
    other = log_mismatch([counts[n] for n in order], [float(shares[n]) for n in order])
    assert one == pytest.approx(other)


def test_ids_that_go_where_they_should_are_seldom_told() -> None:
    ones = np.random.default_rng(8).random((300, 2_000)) < 0.05
    seen = ones.cumsum(axis=1)[:, LOOKS - 1]
    told = [
        any(log_mismatch((int(k), int(n - k)), (0.05, 0.95)) >= log(1 / RISK) for k, n in row)
        for row in (zip(run, LOOKS, strict=True) for run in seen)
    ]
    assert within(sum(told), 300)


def test_ids_that_go_astray_are_told() -> None:
    assert log_mismatch((400, 600), (0.25, 0.75)) > log(1 / 0.0001)
    assert log_mismatch((0, 0), (0.25, 0.75)) == pytest.approx(0)
    for counts, shares in (((1,), (0.5, 0.5)), ((1, 1), (0.0, 1.0)), ((1, 1), (0.5, 0.4))):
        with pytest.raises(ValueError, match="share"):
            log_mismatch(counts, shares)


def test_fractions_are_a_gamblers() -> None:
    assert ((betting.FRACTIONS > 0) & (betting.FRACTIONS < 1)).all()
