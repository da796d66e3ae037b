"""Equal to scikit-learn and SciPy where they know the answer, lawful where they do not."""

from math import isfinite, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.metrics import log_loss as peer_log_loss

from freehold.domain.statistics.accuracy import accuracy, baseline_accuracy, net_accuracy
from freehold.domain.statistics.calibration import calibration, calibration_error
from freehold.domain.statistics.distance import kolmogorov_smirnov, shift, sketch
from freehold.domain.statistics.estimate import (
    REASONS,
    Estimate,
    deviations,
    difference,
    two_sided,
    wilson,
)
from freehold.domain.statistics.figures import Calibration, Comparison, Measures
from freehold.domain.statistics.loss import log_loss
from freehold.domain.statistics.ranking import auc, compare
from freehold.domain.statistics.rows import scored
from freehold.domain.statistics.summary import measure

probabilities = st.integers(0, 20).map(lambda n: n / 20)
rows_of_both = st.lists(st.tuples(probabilities, st.booleans()), min_size=4, max_size=60).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)
counts = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=15)


def drawn(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated scores with their labels."""
    generator = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(1 - generator.normal(size=count)))
    return scores, (generator.random(count) < scores).astype(np.int64)


def held(truth: float, found: Estimate) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


@given(rows_of_both)
def test_auc_equals_the_peer_and_lies_in_its_interval(rows: list[tuple[float, bool]]) -> None:
    scores, labels = [s for s, _ in rows], [y for _, y in rows]
    found = auc(scored(scores, labels))
    assert found.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(rows_of_both)
def test_auc_does_not_change_under_a_monotone_map(rows: list[tuple[float, bool]]) -> None:
    scores, labels = np.array([s for s, _ in rows]), [y for _, y in rows]
    first = auc(scored(scores, labels))
    assert auc(scored(np.exp(3 * scores) - 7, labels)) == first
    turned = auc(scored(-scores, labels))
    assert turned.value == pytest.approx(1 - first.value)


def test_delong_equals_its_definition_by_pairs() -> None:
    scores, labels = drawn(3, 200)
    scores = scores.round(1)
    ups, downs = scores[labels == 1], scores[labels == 0]
    kernel = (ups[:, None] > downs) + 0.5 * (ups[:, None] == downs)
    variance = kernel.mean(1).var(ddof=1) / len(ups) + kernel.mean(0).var(ddof=1) / len(downs)
    found = auc(scored(scores, labels))
    odds = np.log(found.high / (1 - found.high)) - np.log(found.value / (1 - found.value))
    assert odds * found.value * (1 - found.value) / 1.959964 == pytest.approx(sqrt(variance))


def test_comparison_is_antisymmetric_and_nothing_against_itself() -> None:
    scores, labels = drawn(4, 400)
    other = scores + np.random.default_rng(5).normal(scale=0.2, size=400)
    there = compare(scored(scores, labels), other)
    back = compare(scored(other, labels), scores)
    assert there.difference.value == pytest.approx(-back.difference.value)
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert there.p == pytest.approx(back.p) and 0 < there.p < 1
    assert there.reference == auc(scored(other, labels))
    same = compare(scored(scores, labels), scores * 2)
    assert (same.difference.value, same.difference.low, same.difference.high) == (0, 0, 0)
    assert same.p == 1


@given(rows_of_both)
def test_losses_and_accuracies_equal_the_peers(rows: list[tuple[float, bool]]) -> None:
    scores, labels = np.array([s for s, _ in rows]), np.array([y for _, y in rows])
    checked = scored(scores, labels)
    assert log_loss(checked).value == pytest.approx(peer_log_loss(labels, scores), rel=1e-9)
    right = accuracy(checked, 0.5)
    assert right.value == accuracy_score(labels, scores >= 0.5)
    usual = baseline_accuracy(checked)
    assert usual.value == pytest.approx(max(labels.mean(), 1 - labels.mean()))
    net = net_accuracy(checked, 0.5)
    assert net.value == pytest.approx(right.value - usual.value)
    assert net.low <= net.value <= net.high


@given(st.integers(0, 80), st.integers(1, 80))
def test_wilson_equals_scipy(successes: int, count: int) -> None:
    successes = min(successes, count)
    found = wilson(successes, count)
    peer = stats.binomtest(successes, count).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=1e-9)


def test_the_normal_law_equals_scipy() -> None:
    assert deviations(0.9) == pytest.approx(stats.norm.ppf(0.95))
    assert two_sided(-1.3) == pytest.approx(2 * stats.norm.sf(1.3))
    with pytest.raises(ValueError, match="between 0 and 1"):
        deviations(1)


def test_a_difference_of_estimates_keeps_their_skew() -> None:
    found = difference(Estimate(0.9, 0.8, 0.93, count=50), Estimate(0.5, 0.4, 0.6, count=90))
    assert found.value == pytest.approx(0.4)
    assert found.value - found.low == pytest.approx(sqrt(0.1**2 + 0.1**2))
    assert found.high - found.value == pytest.approx(sqrt(0.03**2 + 0.1**2))
    assert found.count == 50
    assert difference(Estimate.unknown("empty"), found).reason == "empty"
    assert difference(found, Estimate.unknown("one-class")).reason == "one-class"
    with pytest.raises(ValueError, match="levels differ"):
        difference(found, Estimate(0.1, 0.0, 0.2, level=0.9))


def test_calibration_finds_the_weights_that_scikit_learn_finds() -> None:
    scores, labels = drawn(6, 3000)
    bent = 1 / (1 + np.exp(-(0.6 * np.log(scores / (1 - scores)) + 0.4)))
    found = calibration(scored(bent, labels))
    odds = np.log(bent / (1 - bent))[:, None]
    peer = LogisticRegression(C=np.inf, tol=1e-10).fit(odds, labels)
    assert found.slope.value == pytest.approx(peer.coef_[0, 0], abs=1e-4)
    assert found.intercept.value == pytest.approx(peer.intercept_[0], abs=1e-4)
    assert held(1 / 0.6, found.slope) and not held(1, found.slope)
    assert sum(one.observed.count for one in found.bins) == 3000
    weighted = sum(
        one.observed.count * abs(one.predicted - one.observed.value) for one in found.bins
    )
    assert found.error.value == pytest.approx(weighted / 3000)
    assert found.error.low > 0 and found.error == calibration_error(scored(bent, labels))


def test_equal_scores_share_a_bin() -> None:
    found = calibration(scored([0.2] * 40 + [0.8] * 10, [0] * 30 + [1] * 20))
    assert [(one.low, one.observed.count) for one in found.bins] == [(0.2, 40), (0.8, 10)]
    assert calibration(scored([0.3] * 9, [0, 1, 0] * 3)).slope.reason == "no-variation"
    parted = calibration(scored([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], [0, 0, 0, 1, 1, 1]))
    assert parted.slope.reason == "separable"


@pytest.mark.parametrize(
    ("scores", "labels", "reason"),
    [
        ([], [], "empty"),
        ([0.1, float("nan")], [0, 1], "not-finite"),
        ([0.1, 0.2], [0.0, float("nan")], "not-finite"),
        ([0.1, 0.2], [1, 2], "not-binary"),
        ([0.1, 0.2], ["a", "b"], "not-binary"),
    ],
)
def test_what_cannot_be_said_has_its_reason(
    scores: list[float], labels: list[object], reason: str
) -> None:
    found = measure(scored(scores, labels))
    for name in Measures.ESTIMATES:
        assert getattr(found, name) == Estimate.unknown(reason, len(scores))
    assert calibration(scored(scores, labels)).error.reason == reason
    assert reason in REASONS


def test_one_class_and_single_rows() -> None:
    alone = measure(scored([0.4, 0.6], [1, 1]))
    assert alone.auc.reason == "one-class" and alone.accuracy.value == 0.5
    assert calibration(scored([0.4, 0.6], [1, 1])).slope.reason == "one-class"
    assert compare(scored([0.4, 0.6], [1, 1]), np.zeros(2)).difference.reason == "one-class"
    pair = auc(scored([0.4, 0.6], [0, 1]))
    assert (pair.value, pair.low, pair.high) == (1, 0, 1)
    assert compare(scored([0.4, 0.6], [0, 1]), np.zeros(2)).difference.reason == "too-few-rows"
    assert log_loss(scored([0.5], [1])).high > 30
    assert log_loss(scored([1.5, 0.2], [1, 0])).reason == "not-a-probability"
    assert auc(scored([1.5, 0.2, 3, 4], [1, 0, 1, 0])).known
    perfect = auc(scored([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]))
    assert perfect.value == perfect.high == 1 and 0.3 < perfect.low < 0.5
    constant = auc(scored([0.5] * 6, [0, 1] * 3))
    assert (constant.value, constant.low, constant.high) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="rows of one kind"):
        scored([0.1], [0, 1])


def test_figures_come_back_from_json() -> None:
    scores, labels = drawn(7, 300)
    rows = scored(scores, labels)
    assert Measures.from_json(measure(rows).as_json()) == measure(rows)
    assert Calibration.from_json(calibration(rows).as_json()) == calibration(rows)
    paired = compare(rows, scores[::-1].copy())
    assert Comparison.from_json(paired.as_json()) == paired


@given(counts)
def test_shift_is_symmetric_and_bounded(pairs: list[tuple[int, int]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = shift(first, second), shift(second, first)
    if not (sum(first) and sum(second)):
        assert there.psi.reason == "empty"
        return
    assert there.distance == pytest.approx(back.distance, abs=1e-9)
    assert 0 <= there.distance <= 1 and 0 <= there.distance_chance <= 1
    assert there.psi.value == pytest.approx(back.psi.value, abs=1e-12)
    assert 0 <= there.psi.low <= there.psi.value <= there.psi.high
    assert isfinite(there.psi.high)
    itself = shift(first, first)
    assert itself.psi.value == 0 and itself.distance == 0


def test_shift_equals_the_peers_when_no_bin_is_rare() -> None:
    first, second = np.array([4000, 3000, 2000, 1000]), np.array([1000, 2000, 3000, 4000])
    found = shift(first.tolist(), second.tolist())
    p, q = first / 10000, second / 10000
    assert found.psi.value == pytest.approx(float(((q - p) * np.log(q / p)).sum()), rel=1e-3)
    assert found.distance == pytest.approx(float(jensenshannon(p, q, base=2)))
    assert shift([900, 0], [0, 900]).distance == 1
    with pytest.raises(ValueError, match="same bins"):
        shift([1, 2], [1, 2, 3])


samples = st.lists(st.integers(-30, 30).map(float), min_size=3, max_size=80)


@given(samples, samples)
def test_kolmogorov_smirnov_equals_scipy(first: list[float], second: list[float]) -> None:
    found, p = kolmogorov_smirnov(sketch(np.sort(first)), np.sort(second))
    peer = stats.ks_2samp(first, second, method="asymp")
    assert found.value == pytest.approx(peer.statistic, abs=1e-12)
    effective = sqrt(len(first) * len(second) / (len(first) + len(second)))
    assert p == pytest.approx(stats.kstwobign.sf(effective * found.value), abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_sketch_is_short_of_the_truth_by_less_than_a_quantile() -> None:
    generator = np.random.default_rng(8)
    first = np.sort(np.where(generator.random(20000) < 0.3, 0.5, generator.random(20000)))
    for second in (np.full(50, 0.4999), generator.random(3000), generator.normal(size=3000)):
        found, _ = kolmogorov_smirnov(sketch(first, 200), np.sort(second))
        truth = stats.ks_2samp(first, second, method="asymp").statistic
        assert truth - 1 / 199 <= found.value <= truth + 1e-12
    assert kolmogorov_smirnov(sketch(np.array([])), first)[0].reason == "empty"


def covered(replicas: int, count: int) -> dict[str, float]:
    """Share of seeded samples whose intervals hold the truth, from one very large sample."""
    scores, labels = drawn(0, 400_000)
    truth = measure(scored(scores, labels))
    hits = dict.fromkeys(Measures.ESTIMATES, 0)
    for seed in range(1, replicas + 1):
        found = measure(scored(*drawn(seed, count)))
        for name in Measures.ESTIMATES:
            real = 0.0 if name == "calibration_error" else getattr(truth, name).value
            hits[name] += held(real, getattr(found, name))
    return {name: hit / replicas for name, hit in hits.items()}


def check_coverage(shares: dict[str, float], slack: float) -> None:
    for name, share in shares.items():
        assert share >= 0.95 - slack, name
        assert name == "calibration_error" or share <= 0.95 + slack, name


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    check_coverage(covered(300, 300), 0.035)


@pytest.mark.long
def test_intervals_hold_the_truth_as_often_as_they_say_in_full() -> None:
    check_coverage(covered(4000, 500), 0.015)


def test_the_paired_test_rejects_as_often_as_it_says() -> None:
    rejected = 0
    for seed in range(300):
        scores, labels = drawn(seed, 300)
        noise = np.random.default_rng(seed + 10_000).normal(scale=0.5, size=(2, 300))
        rejected += compare(scored(scores + noise[0], labels), scores + noise[1]).p < 0.05
    assert 4 <= rejected <= 28


def test_chance_is_the_mean_of_psi_without_a_change() -> None:
    generator = np.random.default_rng(9)
    shares = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05])
    found = [
        shift(
            generator.multinomial(20_000, shares).tolist(),
            generator.multinomial(600, shares).tolist(),
        )
        for _ in range(300)
    ]
    mean = float(np.mean([one.psi.value for one in found]))
    assert mean == pytest.approx(found[0].psi_chance, rel=0.15)
    squares = float(np.mean([one.distance**2 for one in found]))
    assert squares == pytest.approx(found[0].distance_chance ** 2, rel=0.15)
    assert sum(one.psi.low > 0 for one in found) / 300 < 0.07


def test_the_interval_of_psi_holds_the_truth() -> None:
    generator = np.random.default_rng(10)
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.3, 0.25, 0.25, 0.2])
    truth = float(((q - p) * np.log(q / p)).sum())
    held_by = 0
    for _ in range(300):
        first, second = generator.multinomial(3000, p), generator.multinomial(700, q)
        held_by += held(truth, shift(first.tolist(), second.tolist()).psi)
    assert held_by / 300 > 0.93
