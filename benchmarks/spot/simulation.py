"""A job on a trace, led by a policy.

Before each slot the policy is asked for a place. One that is gone is waited for, at no cost; a
machine that is taken away, or left, takes with it what was worked since the last checkpoint.
Checkpoints come after every two slots of work and can be read at every site at once; that they
cross costs nothing here, for every policy alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.spot.market import (
    CHECKPOINT_SLOTS,
    SLOTS_AN_HOUR,
    Flags,
    Job,
    Offered,
    Prices,
    Trace,
    slots_of,
)

LONGEST = 10
"""Times the deadline, after which a job that never ends goes on at the cheapest on demand."""


@dataclass(frozen=True)
class Asked:
    place: int
    """Number of the offer."""
    since: int
    """Slots from the job's start."""


@dataclass(frozen=True)
class View:
    """All that a policy may know at a moment, beside the offers and the job."""

    now: int
    """Slots from the job's start."""
    here: int | None
    """The machine that it has; None: it waits, has just lost it, or begins."""
    saved: int
    """Units of work in checkpoints."""
    unsaved: int
    prices: Prices
    """By offer, now."""
    there: Flags
    asked: tuple[Asked, ...]
    """What it asked for so far, each change of mind; the last stands."""
    lost: tuple[Asked, ...]
    """Places that were taken away, and when, in order."""


Policy = Callable[[View], int]
"""The number of the offer that is wanted for the next slot."""
Author = Callable[[Sequence[Offered], Job], Policy]
"""What a policy is made from: what was known beforehand."""


@dataclass(frozen=True)
class Outcome:
    money: float
    slots: int
    """From start to end."""
    redone: int
    """Units of work that were lost."""
    interruptions: int
    ended: bool = True
    """False: it had to be ended on demand."""


def simulate(trace: Trace, job: Job, policy: Policy) -> Outcome:
    run = _Run(trace, job)
    while run.saved < job.work:
        if run.now >= LONGEST * job.deadline:
            money = run.money + cheapest_on_demand(trace.offers, job.work - run.saved)
            return Outcome(money, run.now, run.redone, len(run.lost), ended=False)
        run.go_on(policy)
    return Outcome(run.money, run.now, run.redone, len(run.lost))


def cheapest_on_demand(offers: Sequence[Offered], work: int) -> float:
    """Money, boot included."""
    return min(
        offer.price * slots_of(offer, work) / SLOTS_AN_HOUR
        for offer in offers
        if not offer.place.spot
    )


@dataclass
class _Run:
    trace: Trace
    job: Job
    now: int = 0
    here: int | None = None
    held: int = 0
    """Slots, boot included."""
    saved: int = 0
    unsaved: int = 0
    money: float = 0.0
    redone: int = 0
    asked: tuple[Asked, ...] = ()
    lost: tuple[Asked, ...] = ()

    def go_on(self, policy: Policy) -> None:
        """By a slot."""
        slot = (self.job.start + self.now) % self.trace.slots
        there, prices = self.trace.there[:, slot], self.trace.prices[:, slot]
        if self.here is not None and not there[self.here]:
            self.lost = (*self.lost, Asked(self.here, self.now))
            self._leave()
        view = View(
            self.now, self.here, self.saved, self.unsaved, prices, there, self.asked, self.lost
        )
        wanted = policy(view)
        if not self.asked or self.asked[-1].place != wanted:
            self.asked = (*self.asked, Asked(wanted, self.now))
        if wanted != self.here:
            self._leave()
            self.here = wanted if there[wanted] else None
        self.now += 1
        if self.here is not None:
            self.money += float(prices[self.here]) / SLOTS_AN_HOUR
            self._work(self.trace.offers[self.here])

    def _leave(self) -> None:
        self.redone += self.unsaved
        self.here, self.held, self.unsaved = None, 0, 0

    def _work(self, offer: Offered) -> None:
        self.held += 1
        worked = self.held - offer.boot
        if worked <= 0:
            return
        self.unsaved = min(self.unsaved + offer.speed, self.job.work - self.saved)
        if worked % CHECKPOINT_SLOTS == 0 or self.saved + self.unsaved >= self.job.work:
            self.saved, self.unsaved = self.saved + self.unsaved, 0
