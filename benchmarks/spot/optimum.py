"""The least that a job can cost on a trace that is known beforehand: exact, by dynamic programming.

State: slot × units of work in checkpoints × the machine that is held, or none, at a moment at which
nothing is unsaved. That is enough: to leave a machine between two checkpoints, or before the first,
costs more than not to have had it since, and brings nothing; so an optimal course holds each
machine from boot to a checkpoint or to the end. Without a machine it waits a slot or begins with
one; with one it drops it, or works on to the next checkpoint if the machine is there until then.
Back in time from the deadline each state is looked at once: slots × units × (offers + 1) of them.
"""

from math import gcd, inf

import numpy as np
from numpy.typing import NDArray

from benchmarks.spot.market import CHECKPOINT_SLOTS, SLOTS_AN_HOUR, Job, Prices, Trace


def least(trace: Trace, job: Job, within: int | None = None) -> float:
    """Money; infinite if nothing ends in time. `within`: slots, instead of the job's deadline."""
    slots = job.deadline if within is None else within
    kept = _worth(trace)
    offers = [trace.offers[number] for number in kept]
    unit = gcd(*(CHECKPOINT_SLOTS * offer.speed for offer in offers))
    levels = -(-job.work // unit)
    left = job.work - unit * np.arange(levels)
    cost = _cost(trace, job, slots, kept)
    paid = {length: _sums(cost, length) for length in range(1, CHECKPOINT_SLOTS + 1)}
    begins = np.array([_sums(cost[[k]], o.boot)[0] for k, o in enumerate(offers)])
    gains = np.array([CHECKPOINT_SLOTS * offer.speed // unit for offer in offers])
    reached = np.minimum(np.arange(levels) + gains[:, None], levels)
    takes = -(-left // np.array([offer.speed for offer in offers])[:, None])
    rows = np.arange(len(offers))[:, None]
    boots = np.array([offer.boot for offer in offers])

    free = np.full((slots + 1, levels + 1), inf)
    held = np.full((slots + 1, len(offers), levels + 1), inf)
    free[:, levels] = held[:, :, levels] = 0.0
    for now in range(slots - 1, -1, -1):
        best = np.full((len(offers), levels), inf)
        if now + CHECKPOINT_SLOTS <= slots:
            after = held[now + CHECKPOINT_SLOTS][rows, reached]
            best = paid[CHECKPOINT_SLOTS][:, now, None] + after
        for length in range(1, CHECKPOINT_SLOTS):
            ends = paid[length][:, now, None]
            best = np.where(takes <= length, np.minimum(best, ends), best)
        held[now, :, :levels] = best
        booted = held[np.minimum(now + boots, slots), rows[:, 0], :levels]
        begun = (begins[:, now, None] + booted).min(axis=0)
        free[now, :levels] = np.minimum(free[now + 1, :levels], begun)
        held[now, :, :levels] = np.minimum(best, free[now, :levels])
    return float(free[0, 0])


def _worth(trace: Trace) -> list[int]:
    """Every spot offer, and on demand the cheapest of each kind: those are there always and their
    prices stand still."""
    cheapest: dict[tuple[int, int], int] = {}
    for number, offer in enumerate(trace.offers):
        kind = (offer.speed, offer.boot)
        if not offer.place.spot and (
            kind not in cheapest or offer.price < trace.offers[cheapest[kind]].price
        ):
            cheapest[kind] = number
    spot = [number for number, offer in enumerate(trace.offers) if offer.place.spot]
    return [*spot, *cheapest.values()]


def _cost(trace: Trace, job: Job, slots: int, kept: list[int]) -> Prices:
    """Of each slot from the job's start; infinite where the machine is not there."""
    chosen = np.ix_(np.array(kept), (job.start + np.arange(slots)) % trace.slots)
    return np.where(trace.there[chosen], trace.prices[chosen] / SLOTS_AN_HOUR, inf)


def _sums(cost: Prices, length: int) -> NDArray[np.float64]:
    """Of so many slots from each on; infinite past the end."""
    count, slots = cost.shape
    padded = np.hstack([cost, np.full((count, length), inf)])
    found = np.zeros((count, slots))
    for after in range(length):
        found += padded[:, after : after + slots]
    return found
