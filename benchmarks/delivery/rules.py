"""Three rules that look again and again: ours, that of a single look repeated, a fixed threshold.

Each is told what was seen and after how many requests it looks, and says at which look it would
roll back: [releases], the number of looks where it never does. Ours asks the product's statistics,
for many releases at once; a test shows that it decides as the product does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, log

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.delivery.traffic import (
    BASELINE,
    BINS,
    TENTHS,
    Floats,
    Random,
    Requests,
    World,
    auc,
    drawn,
)
from freehold.domain.project import GuardrailSpec, MetricSpec, ReleaseSpec
from freehold.domain.release import Release
from freehold.domain.statistics import asymptotic, pairs, quantiles, stability
from freehold.domain.statistics.betting import EVENTS, log_capital

Flags = npt.NDArray[np.bool_]
"""[releases, looks]: whether a guardrail is crossed."""
Looks = npt.NDArray[np.int64]
"""[releases]: number of the look."""
QUANTILES = (0.5, 0.9, 0.99)
DEFAULT = GuardrailSpec()
DROP = 0.1
"""What a canary's requests may earn less than the champion's 1, where `earned` is a guard."""
CHUNK = 250
"""Releases in memory at a time."""


@dataclass(frozen=True)
class Course:
    """When it is looked, and what is asked."""

    every: int
    """Requests between two looks."""
    requests: int
    starts: tuple[int, ...] = (0,)
    """Requests before each step that is reached."""
    limits: GuardrailSpec = DEFAULT
    steps: tuple[int, ...] = (5, 25, 100)
    false_rollbacks: float = 0.01
    guards: tuple[str, ...] = ("errors", "latency", "scores", "quality")
    sites: int = 1
    """Each sees as many requests of its own, and may take the release back."""

    @property
    def looks(self) -> npt.NDArray[np.int64]:
        """Requests by each look."""
        return np.arange(self.every, self.requests + 1, self.every)

    @property
    def release(self) -> Release:
        settings = ReleaseSpec(
            steps=self.steps,
            guardrails=self.limits,
            false_rollbacks=self.false_rollbacks,
            metrics={"earned": MetricSpec(DROP)} if "earned" in self.guards else {},
        )
        sites = tuple(map(str, range(self.sites)))
        return Release("m/1", "m", 2, 1, "canary", settings, sites=sites)

    def since(self, start: int) -> npt.NDArray[np.int64]:
        """Requests since then, by each look; none before."""
        return np.maximum(self.looks - start, 0)


Rule = Callable[[Requests, Course], Looks]


def _first(crossed: Flags) -> Looks:
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1), crossed.shape[1])


# Ours


def sequential(seen: Requests, course: Course) -> Looks:
    crossed = np.zeros((len(seen.failed), len(course.looks)), bool)
    ends = (*course.starts[1:], course.requests)
    for start, end in zip(course.starts, ends, strict=True):
        part, since = seen.part(start, course.requests), course.since(start)
        for guard in course.guards:
            # What follows from an answer is compared within one step.
            own = part.part(0, end - start) if guard == "earned" else part
            crossed |= OURS[guard](own, course, since)
    return _first(crossed)


def _counted(
    values: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    kinds: int,
    known: npt.NDArray[np.int64] | None = None,
) -> Floats:
    """How many of `values` [releases, n] below `kinds` are among the first `rows` [looks]:
    [releases, looks, kinds]. A value below 0 is none. `known` [releases, n]: requests by which each
    had come, if not at once."""
    releases, count = values.shape
    before = np.arange(count) if known is None else known - 1
    look = np.searchsorted(rows, before, side="right")
    place = (np.arange(releases)[:, None] * (len(rows) + 1) + look) * kinds + values
    found = np.bincount(place[values >= 0], minlength=releases * (len(rows) + 1) * kinds)
    return found.reshape(releases, len(rows) + 1, kinds)[:, :-1].cumsum(axis=1).astype(np.float64)


def _errors(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    counts = _counted(seen.failed.astype(np.int64), rows, 2)
    limit = log(1 / course.release.risk)
    crossed: Flags = log_capital(EVENTS, counts, course.limits.error_rate) >= limit
    return crossed


@cache
def _ranks(count: int, quantile: float, risk: float) -> tuple[int, int]:
    return quantiles.ranks(count, quantile, risk)


def _latency(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    risk = course.release.risk / len(QUANTILES) / 2
    crossed = np.zeros((len(seen.failed), len(rows)), bool)
    for look, count in enumerate(rows.tolist()):
        known = [(q, *_ranks(count, q, risk)) for q in QUANTILES]
        told = [one for one in known if one[1] >= 1 and one[2] <= count]
        if not told:
            continue
        low = [one[1] - 1 for one in told]
        high = [one[2] - 1 for one in told]
        ours = np.partition(seen.canary_time[:, :count], low, axis=1)[:, low]
        theirs = np.partition(seen.champion_time[:, :count], high, axis=1)[:, high]
        crossed[:, look] = (ours > course.limits.latency_ratio * theirs).any(axis=1)
    return crossed


def _scores(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    both = _counted(seen.canary_bin * BINS + seen.champion_bin, rows, BINS * BINS)
    table = both.reshape(*both.shape[:2], BINS, BINS)
    value, reach = stability.excess(BASELINE, BASELINE, table, course.release.risk)
    enough = rows >= stability.FEWEST
    return (value - reach > course.limits.score_shift) & enough


def _quality(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    count = seen.positive.shape[1]
    values = np.full((len(seen.positive), count), -1, np.int64)
    # Labels in the order in which they came.
    order = seen.known.argsort(axis=1, kind="stable")
    ours, theirs, ups, known = (
        np.take_along_axis(one, order, axis=1)
        for one in (seen.canary_score, seen.champion_score, seen.positive, seen.known)
    )
    for release, positive in enumerate(ups):
        found = pairs.gains(ours[release], theirs[release], positive)
        ends = pairs.blocks(positive)
        values[release, ends] = pairs.places(found, upwards=True)
    counts = _counted(values, rows, len(pairs.VALUES), known)
    mean = (1 - course.limits.quality_drop) / 2
    limit = log(1 / course.release.risk)
    crossed: Flags = log_capital(1 - pairs.VALUES, counts, 1 - mean) >= limit
    return crossed


def _earned(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    """As many of the champion's requests as of the canary's: the fewest that it ever has."""
    risk = course.release.risk
    count, ours, our_spread = _moments(seen.canary_earned, seen.known, rows)
    _, theirs, their_spread = _moments(seen.champion_earned, seen.known, rows)
    total = 2 * count
    width = np.sqrt(total * (our_spread + their_spread) / count) * asymptotic.reach(total, risk)
    crossed: Flags = (theirs - ours - width > DROP) & (count >= asymptotic.FEWEST)
    return crossed


def _moments(
    values: Floats, known: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """Count, mean and variance of what is known of `values` [releases, n] by each look: [releases,
    looks]. A count is at least 1, so that it divides."""
    releases = len(values)
    look = np.searchsorted(rows, known - 1, side="right")
    place = (np.arange(releases)[:, None] * (len(rows) + 1) + look).ravel()

    def summed(weights: Floats) -> Floats:
        found = np.bincount(place, weights.ravel(), releases * (len(rows) + 1))
        return found.reshape(releases, -1)[:, :-1].cumsum(axis=1)

    count = np.maximum(summed(np.ones(values.shape)), 1.0)
    mean = summed(values) / count
    return count, mean, np.maximum(summed(values**2) / count - mean**2, 0.0)


OURS: Mapping[str, Callable[[Requests, Course, npt.NDArray[np.int64]], Flags]] = {
    "errors": _errors,
    "latency": _latency,
    "scores": _scores,
    "quality": _quality,
    "earned": _earned,
}

# A test for a single look, at every look


def repeated(seen: Requests, course: Course) -> Looks:
    """Each of 1 to 5 % false alarms: the binomial tail, order statistics, the delta method, DeLong.
    Of the step that runs, as such tests begin anew."""
    crossed = np.zeros((len(seen.failed), len(course.looks)), bool)
    for step, start in enumerate(course.starts):
        end = (*course.starts, course.requests)[step + 1]
        rows = np.minimum(course.since(start), end - start)
        within = (course.looks > start) & (course.looks <= end)
        for guard in course.guards:
            crossed |= SINGLE[guard](seen.part(start, end), course, rows) & within
    return _first(crossed)


def _errors_once(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    errors = seen.failed.cumsum(axis=1)[:, np.maximum(rows, 1) - 1]
    tail = stats.binom.sf(errors - 1, rows, course.limits.error_rate)
    crossed: Flags = tail < 0.01
    return crossed


def _latency_once(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    crossed = np.zeros((len(seen.failed), len(rows)), bool)
    for look, count in enumerate(rows.tolist()):
        if 0.99**count > 0.05:
            continue
        low, high = (int(stats.binom.ppf(p, count, 0.99)) for p in (0.05, 0.95))
        low, high = max(low - 1, 0), min(high, count - 1)
        ours = np.partition(seen.canary_time[:, :count], low, axis=1)[:, low]
        theirs = np.partition(seen.champion_time[:, :count], high, axis=1)[:, high]
        crossed[:, look] = ours > course.limits.latency_ratio * theirs
    return crossed


def _scores_once(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    moved = [
        _moved_once(_counted(bins, rows, BINS)[..., TENTHS])
        for bins in (seen.canary_bin, seen.champion_bin)
    ]
    value = moved[0][0] - moved[1][0]
    reach = np.hypot(moved[0][1], moved[1][1])
    return (value - reach > course.limits.score_shift) & (rows >= 100)


def _moved_once(counts: Floats) -> tuple[Floats, Floats]:
    known, live = BASELINE[TENTHS], np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    pooled = (known + counts) / (known.sum() + live)
    p, q = (known + pooled) / (known.sum() + 1), (counts + pooled) / (live + 1)
    ratio = np.log(q / p)
    scale = 1 / known.sum() + 1 / live[..., 0]
    bias = 9 * scale

    def spread(shares: Floats, slopes: Floats) -> Floats:
        found: Floats = (shares * slopes**2).sum(-1) - (shares * slopes).sum(-1) ** 2
        return found

    variance = spread(p, -ratio - q / p) / known.sum() + spread(q, ratio - p / q) / live[..., 0]
    reach = stats.norm.ppf(0.99) * np.sqrt(variance + 2 * bias * scale)
    return ((q - p) * ratio).sum(-1) - bias, reach


def _quality_once(seen: Requests, course: Course, rows: npt.NDArray[np.int64]) -> Flags:
    crossed = np.zeros((len(seen.failed), len(rows)), bool)
    for look, count in enumerate(rows.tolist()):
        if count < 20:
            continue
        up = seen.positive[:, :count]
        ours, theirs = (
            _placements(scores[:, :count], up)
            for scores in (seen.canary_score, seen.champion_score)
        )
        gain = ours - theirs
        ups, downs = up.sum(axis=1), (~up).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (gain * up).sum(axis=1) / ups
            above = (gain**2 * up).sum(axis=1) / ups - mean**2
            below = (gain**2 * ~up).sum(axis=1) / downs - mean**2
            reach = stats.norm.ppf(0.975) * np.sqrt(above / (ups - 1) + below / (downs - 1))
        crossed[:, look] = mean + reach < -course.limits.quality_drop
    return crossed


def _placements(scores: Floats, positive: npt.NDArray[np.bool_]) -> Floats:
    """For each positive the share of negatives below it, for each negative of positives above."""
    order = scores.argsort(axis=1)
    sorted_up = np.take_along_axis(positive, order, axis=1)
    downs_below = (~sorted_up).cumsum(axis=1) / np.maximum((~positive).sum(axis=1), 1)[:, None]
    ups_above = 1 - sorted_up.cumsum(axis=1) / np.maximum(positive.sum(axis=1), 1)[:, None]
    placed = np.empty(scores.shape)
    np.put_along_axis(placed, order, np.where(sorted_up, downs_below, ups_above), axis=1)
    return placed


def _earned_once(seen: Requests, _: Course, rows: npt.NDArray[np.int64]) -> Flags:
    """Welch's test of two means, of level 0.05 on both sides."""
    count, ours, our_spread = _moments(seen.canary_earned, seen.known, rows)
    _, theirs, their_spread = _moments(seen.champion_earned, seen.known, rows)
    reach = stats.norm.ppf(0.975) * np.sqrt((our_spread + their_spread) / count)
    crossed: Flags = (theirs - ours - reach > DROP) & (count >= 20)
    return crossed


SINGLE: Mapping[str, Callable[[Requests, Course, npt.NDArray[np.int64]], Flags]] = {
    "errors": _errors_once,
    "latency": _latency_once,
    "scores": _scores_once,
    "quality": _quality_once,
    "earned": _earned_once,
}

# A threshold

FAILURES = 5
"""Failed checks, of any figure, at which it rolls back."""
WINDOW = 300
"""Requests that a check looks back on."""


def threshold(seen: Requests, course: Course) -> Looks:
    """At each look every figure of the last requests alone is held against its limit, without its
    uncertainty; the fifth failed check rolls back. So do Flagger (`threshold`) and Argo Rollouts
    (`failureLimit`), with a query over the last minutes."""
    looks = course.looks
    ends = looks[looks >= WINDOW]
    cut = Requests(
        *(
            np.lib.stride_tricks.sliding_window_view(getattr(seen, name), WINDOW, axis=1)[
                :, ends - WINDOW
            ]
            for name in seen.__annotations__
        )
    )
    failed = np.zeros((len(seen.failed), len(looks)), np.int64)
    for guard in course.guards:
        failed[:, len(looks) - len(ends) :] += CHECKS[guard](cut, course.limits)
    return _first(failed.cumsum(axis=1) >= FAILURES)


def _errors_now(cut: Requests, limits: GuardrailSpec) -> Flags:
    crossed: Flags = cut.failed.mean(axis=-1) > limits.error_rate
    return crossed


def _latency_now(cut: Requests, limits: GuardrailSpec) -> Flags:
    ours, theirs = (
        np.quantile(times, 0.99, axis=-1, method="inverted_cdf")
        for times in (cut.canary_time, cut.champion_time)
    )
    crossed: Flags = ours > limits.latency_ratio * theirs
    return crossed


def _scores_now(cut: Requests, limits: GuardrailSpec) -> Flags:
    moved = [_index(bins) for bins in (cut.canary_bin, cut.champion_bin)]
    crossed: Flags = moved[0] - moved[1] > limits.score_shift
    return crossed


def _index(bins: npt.NDArray[np.int64]) -> Floats:
    """With a half row in each bin, so that an empty one counts for something finite."""
    shares = np.stack([(bins == one).sum(axis=-1) + 0.5 for one in range(BINS)[TENTHS]], axis=-1)
    live, even = shares / shares.sum(axis=-1, keepdims=True), 0.1
    found: Floats = ((live - even) * np.log(live / even)).sum(axis=-1)
    return found


def _quality_now(cut: Requests, limits: GuardrailSpec) -> Flags:
    lost = auc(cut.champion_score, cut.positive) - auc(cut.canary_score, cut.positive)
    return np.nan_to_num(lost, nan=-inf) > limits.quality_drop


def _earned_now(cut: Requests, _: GuardrailSpec) -> Flags:
    lost = cut.champion_earned.mean(axis=-1) - cut.canary_earned.mean(axis=-1)
    crossed: Flags = lost > DROP
    return crossed


CHECKS: Mapping[str, Callable[[Requests, GuardrailSpec], Flags]] = {
    "errors": _errors_now,
    "latency": _latency_now,
    "scores": _scores_now,
    "quality": _quality_now,
    "earned": _earned_now,
}
RULES: Mapping[str, Rule] = {
    "ours": sequential,
    "a single look's tests, repeated": repeated,
    "fixed threshold": threshold,
}


def first_looks(seen: Requests, course: Course, names: Sequence[str]) -> dict[str, Looks]:
    return {name: RULES[name](seen, course) for name in names}


def simulated(
    world: World, course: Course, releases: int, names: Sequence[str], random: Random
) -> dict[str, Looks]:
    """At which look each of so many releases goes back: at whichever site is first."""
    found: dict[str, list[Looks]] = {name: [] for name in names}
    for start in range(0, releases, CHUNK):
        count = min(CHUNK, releases - start)
        sites = [
            first_looks(drawn(world, count, course.requests, random), course, names)
            for _ in range(course.sites)
        ]
        for name in names:
            found[name].append(np.min([looks[name] for looks in sites], axis=0))
    return {name: np.concatenate(looks) for name, looks in found.items()}
