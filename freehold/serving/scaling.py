"""How many replicas an endpoint should have, from what its replicas measured.

Method: target tracking. The load is the replicas' use summed; the number asked for is the least
that keeps their use under `high` and their queues at `queue`. More at once, fewer only after `calm`
seconds in which use never reached `low`. Kubernetes' horizontal autoscaler does the same
(documentation, "Algorithm details"), with a tolerance where this has two lines.

Laws
- The answer lies within the bounds.
- More use or longer queues never give fewer replicas.
- Under a constant load and a constant sum of what waits, no answer is taken back later: a use that
  fell from `high` by one more replica is never under `low`, since `low` is less than half of it.
- Fewer are asked for only when samples without a gap, all of the present number of replicas, cover
  `calm` seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite
from typing import Any, Literal

from freehold.domain.scaling import Targets

Change = Literal["up", "down", "hold"]
_ROUNDING = 1e-9
"""Of a sum of shares, which is no reason for one more replica."""


@dataclass(frozen=True)
class Sample:
    at: float
    """Seconds since 1970 UTC, when it was taken."""
    replicas: int
    use: float
    """Mean share of the replicas' accelerators or processors, 0 to 1."""
    queue: float
    """Requests that wait, for each replica."""

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise ValueError(f"{self.replicas} replicas measure nothing")
        if not 0 <= self.use <= 1:
            raise ValueError(f"use lies between 0 and 1, not {self.use}")
        if not (self.queue >= 0 and isfinite(self.queue)):
            raise ValueError(f"a queue is not negative and ends, unlike {self.queue}")


@dataclass(frozen=True)
class Decision:
    replicas: int
    now: int
    change: Change
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {
            "change": self.change,
            "now": self.now,
            "reason": self.reason,
            "replicas": self.replicas,
        }


def decide(samples: Sequence[Sample], targets: Targets) -> Decision:
    """`samples`: in order of time, at least one. Raises ValueError."""
    if not samples:
        raise ValueError("there is no sample to decide by")
    if any(later.at <= earlier.at for earlier, later in pairwise(samples)):
        raise ValueError("samples are in order of time")
    last = samples[-1]
    if targets.within(last.replicas) != last.replicas:
        bounds = f"{targets.minimum} to {targets.maximum}"
        return _decision(targets.within(last.replicas), last, f"outside of {bounds} replicas")
    if last.use >= targets.high or _waits(last, targets):
        return _more(samples, targets)
    return _fewer(samples, targets)


def replicas_for(load: float, targets: Targets) -> int:
    """The least number whose use stays under `high`; `load`: replicas that would be busy all the
    time. Not bounded."""
    return floor(load / targets.high + _ROUNDING) + 1


def _more(samples: Sequence[Sample], targets: Targets) -> Decision:
    """At most twice as many: what a full replica would have to do is not seen in its use."""
    last = samples[-1]
    if last.use >= targets.high:
        cause = f"use {last.use:.0%} reached {targets.high:.0%}"
    else:
        cause = f"{last.queue:.3g} requests wait at each replica, over {targets.queue:g}"
    settled = last.at - _steady(samples, targets)[0].at
    changed = any(one.replicas != last.replicas for one in samples)
    if changed and settled < targets.settling:
        return _decision(last.replicas, last, f"{cause}, but the last change has yet to settle")
    if last.replicas == targets.maximum:
        return _decision(last.replicas, last, f"{cause}, but {targets.maximum} is the most")
    wanted = min(_asked(last, targets), 2 * last.replicas)
    return _decision(targets.within(wanted), last, cause)


def _fewer(samples: Sequence[Sample], targets: Targets) -> Decision:
    last = samples[-1]
    if last.use >= targets.low:
        reason = f"use {last.use:.0%} lies between {targets.low:.0%} and {targets.high:.0%}"
        return _decision(last.replicas, last, reason)
    cause = f"use {last.use:.0%} is under {targets.low:.0%}"
    if last.replicas == targets.minimum:
        return _decision(last.replicas, last, f"{cause}, but {targets.minimum} is the least")
    calm = _calm(samples, targets)
    held = last.at - calm[0].at
    if held < targets.calm:
        reason = f"{cause} for {held:.0f} s, not yet for {targets.calm:.0f} s"
        return _decision(last.replicas, last, reason)
    wanted = targets.within(max(_asked(one, targets) for one in calm))
    if wanted >= last.replicas:
        return _decision(last.replicas, last, f"{cause}, but fewer would let more wait")
    return _decision(wanted, last, f"{cause} for {held:.0f} s")


def _asked(sample: Sample, targets: Targets) -> int:
    """By use, and by what waits in all."""
    load, waiting = sample.use * sample.replicas, sample.queue * sample.replicas
    return max(replicas_for(load, targets), ceil(waiting / targets.queue - _ROUNDING))


def _waits(sample: Sample, targets: Targets) -> bool:
    return sample.queue > targets.queue * (1 + _ROUNDING)


def _steady(samples: Sequence[Sample], targets: Targets) -> Sequence[Sample]:
    """The last samples without a gap that were taken with the present number of replicas."""
    start = len(samples) - 1
    while (
        start
        and samples[start - 1].replicas == samples[-1].replicas
        and samples[start].at - samples[start - 1].at <= targets.gap
    ):
        start -= 1
    return samples[start:]


def _calm(samples: Sequence[Sample], targets: Targets) -> Sequence[Sample]:
    """Those of them since which use was low and nothing waited; the last one is."""
    steady = _steady(samples, targets)
    start = len(steady) - 1
    while start and steady[start - 1].use < targets.low and not _waits(steady[start - 1], targets):
        start -= 1
    return steady[start:]


def _decision(replicas: int, last: Sample, reason: str) -> Decision:
    change: Change = "hold"
    if replicas != last.replicas:
        change = "up" if replicas > last.replicas else "down"
    return Decision(replicas, last.replicas, change, reason)
