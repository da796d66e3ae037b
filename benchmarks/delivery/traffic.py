"""Simulated traffic of canaries: a release is one row of every array, a request one of its columns.

What a request of a canary shows: whether it failed, how long it and the champion took, into which
tenth of each baseline the two scores fall, and, later, a label with both models' scores and what it
earned, beside what a request earned that the champion answered. Requests do not depend on each
other. Times are log-normal, what is earned and how late it comes exponential: most comes soon, some
much later, so that labels come in another order than requests. Both scores are the label's log-odds
with noise of their own, of which the canary may have more: that costs it AUC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Random = np.random.Generator
BINS = 13
"""As a profile has them: below all, equal to the smallest, ten tenths, above all."""
BASELINE: Floats = np.array([0, 0, *[400] * 10, 0], np.float64)
EVEN = (0.0, 0.0, *(0.1,) * 10, 0.0)
TENTHS = slice(2, -1)
SPREAD = 0.5
"""Standard deviation of a time's logarithm."""
NOISE = 0.5
"""Standard deviation of each score's noise, in log-odds."""
POSITIVES = -1.2
"""Mean of the labels' log-odds, whose standard deviation is 1.5: some three in ten are positive."""


@dataclass(frozen=True)
class World:
    """What is true of a canary."""

    errors: float = 0.005
    """Share of requests that fail."""
    slower: float = 1.0
    """Its times over the champion's."""
    tail: float = 1.0
    """The same, of the slowest twentieth alone."""
    scores: Sequence[float] = EVEN
    """Shares of the bins; the champion's are even."""
    noise: float = 0.0
    """Standard deviation of what the canary has beyond the champion's."""
    earned: float = 1.0
    """The mean of what its requests earn; the champion's earn 1."""
    late: float = 0.0
    """Requests that come, in the mean, before a request's label and what it earned."""


@dataclass(frozen=True)
class Requests:
    """[releases, requests]"""

    failed: npt.NDArray[np.bool_]
    canary_time: Floats
    champion_time: Floats
    canary_bin: npt.NDArray[np.int64]
    champion_bin: npt.NDArray[np.int64]
    positive: npt.NDArray[np.bool_]
    canary_score: Floats
    champion_score: Floats
    canary_earned: Floats
    champion_earned: Floats
    known: npt.NDArray[np.int64]
    """Requests by which its label and what it earned had come."""

    def part(self, start: int, end: int) -> "Requests":
        cut = Requests(*(getattr(self, name)[:, start:end] for name in self.__annotations__))
        return replace(cut, known=cut.known - start)


def drawn(world: World, releases: int, requests: int, random: Random) -> Requests:
    shape = (releases, requests)
    # A stream of its own, so that the rest stays as it is.
    (later,) = random.spawn(1)
    odds = random.normal(POSITIVES, 1.5, shape)
    return Requests(
        failed=random.random(shape) < world.errors,
        canary_time=_times(world, shape, random),
        champion_time=_times(World(), shape, random),
        canary_bin=_bins(world.scores, shape, random),
        champion_bin=_bins(EVEN, shape, random),
        positive=random.random(shape) < 1 / (1 + np.exp(-odds)),
        canary_score=odds + np.hypot(NOISE, world.noise) * random.normal(size=shape),
        champion_score=odds + NOISE * random.normal(size=shape),
        canary_earned=later.exponential(world.earned, shape),
        champion_earned=later.exponential(1.0, shape),
        known=np.arange(1, requests + 1) + later.exponential(world.late, shape).astype(np.int64),
    )


def _times(world: World, shape: tuple[int, int], random: Random) -> Floats:
    odd = random.normal(size=shape)
    times = world.slower * np.exp(SPREAD * odd)
    return times if world.tail == 1 else np.where(odd > 1.645, world.tail * times, times)


def _bins(shares: Sequence[float], shape: tuple[int, int], random: Random) -> npt.NDArray[np.int64]:
    edges = np.cumsum(shares)[:-1]
    return np.searchsorted(edges, random.random(shape), side="right")


def tilted(strength: float) -> tuple[float, ...]:
    """Shares of the bins that lean towards the low ones."""
    weights = np.exp(-strength * np.arange(10))
    return (0.0, 0.0, *(weights / weights.sum()).tolist(), 0.0)


def stability_of(shares: Sequence[float]) -> float:
    """The population stability index of shares against even ones."""
    known, even = np.array(shares[TENTHS]), np.array(EVEN[TENTHS])
    return float(((known - even) * np.log(known / even)).sum())


def auc_lost(noise: float, random: Random) -> float:
    """By noise of this standard deviation, from half a million labels."""
    found = replace(World(), noise=noise)
    seen = drawn(found, 1, 500_000, random)
    one, other = (
        auc(score, seen.positive)[0] for score in (seen.champion_score, seen.canary_score)
    )
    return float(one - other)


def auc(scores: Floats, positive: npt.NDArray[np.bool_]) -> Floats:
    """Of scores [..., n] without ties; not a number where all labels are the same."""
    ranks = scores.argsort(axis=-1).argsort(axis=-1) + 1.0
    ups = positive.sum(axis=-1)
    downs = positive.shape[-1] - ups
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = ((ranks * positive).sum(axis=-1) - ups * (ups + 1) / 2) / (ups * downs)
    return found
