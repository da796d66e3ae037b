"""Ways to run a job that the planner's is held against. Each decides by what is known at the time.

Where a policy takes "the cheapest", it is the price of a unit of work now.
"""

from collections.abc import Iterable, Sequence

from benchmarks.spot.market import SLOTS_AN_HOUR, Job, Offered, slots_of
from benchmarks.spot.simulation import Policy, View


def on_demand(offers: Sequence[Offered], job: Job) -> Policy:
    """The machine on demand that costs least in all and keeps the deadline."""
    fits = [k for k in fixed(offers) if slots_of(offers[k], job.work) <= job.deadline]
    chosen = min(fits, key=lambda k: offers[k].price * slots_of(offers[k], job.work))
    return lambda _: chosen


def greedy(offers: Sequence[Offered], job: Job) -> Policy:
    """The cheapest that is there, spot or on demand. A spot machine it keeps until it is taken
    away; from on demand it goes back, at a checkpoint, whenever a cheaper spot machine is there."""
    del job

    def decide(view: View) -> int:
        if view.here is not None and (offers[view.here].place.spot or view.unsaved):
            return view.here
        best = cheapest(offers, view, present(view))
        if view.here is not None and _rate(offers, view, best) >= _rate(offers, view, view.here):
            return view.here
        return best

    return decide


def uniform_progress(offers: Sequence[Offered], job: Job) -> Policy:
    """Uniform Progress (Wu et al., "Can't Be Late", NSDI 2024), carried over to several sites: a
    spot machine is kept as long as it is there; without one, the job waits while it is not behind
    the straight line from start to deadline, else it buys on demand until it is ahead by two
    restarts; when no more can be lost, it stays on demand until the end. Only machines that could
    still end in time count."""
    restart = max(offer.boot for offer in offers)

    def due(now: int) -> float:
        return job.work * min(1.0, now / job.deadline)

    def decide(view: View) -> int:
        if (last := last_resort(offers, job, view)) is not None:
            return last
        in_time = ending(offers, job, view)
        spot = [k for k in in_time if offers[k].place.spot and view.there[k]]
        if view.here is not None:
            is_ahead = view.saved >= due(view.now + 2 * restart)
            if offers[view.here].place.spot or view.unsaved or not (spot and is_ahead):
                return view.here
        if spot:
            return cheapest(offers, view, spot)
        if view.saved < due(view.now):
            return cheapest(offers, view, set(in_time) & set(fixed(offers)))
        absent = [k for k in range(len(offers)) if not view.there[k]]
        # To wait is to ask a place that has no machine; where all have one, nothing is waited for.
        return absent[0] if absent else cheapest(offers, view, set(fixed(offers)))

    return decide


def last_resort(offers: Sequence[Offered], job: Job, view: View) -> int | None:
    """On demand, if a slot more without it would be too late for every machine that there is; None
    as long as there is time."""
    need = min(slots_of(offers[k], job.work - view.saved) for k in fixed(offers))
    if view.now + need < job.deadline:
        return None
    if view.here is not None and not offers[view.here].place.spot:
        left = job.work - view.saved - view.unsaved
        if view.now - (-left // offers[view.here].speed) <= job.deadline:
            return view.here
    fits = set(ending(offers, job, view)) & set(fixed(offers))
    return cheapest(offers, view, fits or fixed(offers))


def ending(offers: Sequence[Offered], job: Job, view: View) -> list[int]:
    """Those that, begun now, end in time if nothing interrupts."""
    left = job.work - view.saved
    return [k for k, one in enumerate(offers) if view.now + slots_of(one, left) <= job.deadline]


def present(view: View) -> list[int]:
    return [number for number, there in enumerate(view.there) if there]


def fixed(offers: Sequence[Offered]) -> list[int]:
    """On demand."""
    return [number for number, offer in enumerate(offers) if not offer.place.spot]


def cheapest(offers: Sequence[Offered], view: View, among: Iterable[int]) -> int:
    return min(among, key=lambda k: _rate(offers, view, k))


def _rate(offers: Sequence[Offered], view: View, number: int) -> float:
    return float(view.prices[number]) / (offers[number].speed * SLOTS_AN_HOUR)
