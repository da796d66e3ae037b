"""An agent's look at the work of its site: what it may do now."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.app.site.wanted import is_here
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft, site_of
from freehold.domain.projection import State
from freehold.replication import leases
from freehold.replication.leases import Sightings, open_work, work_of
from freehold.replication.work import Lease, Work

LEASE_SECONDS, GRACE = 60.0, 20.0
"""Without a sign of life; and how much longer news may take by way of the stores."""
Seconds = Callable[[], float]
"""A monotonic clock: only differences mean anything."""


@dataclass(frozen=True)
class Claimed:
    """Work and the lease under which this agent does it."""

    work: Work
    lease: Lease
    taken_over: bool = False
    """From another agent that showed no sign of life."""
    continued: bool = False
    """This state's own lease, from before an interruption."""


@dataclass
class Claims:
    """Keeps what was seen of others' leases between two looks."""

    site: Site
    seconds: float = LEASE_SECONDS
    grace: float = GRACE
    now: Seconds = lambda: 0.0
    waiting: tuple[str, ...] = ()
    """Work whose parameters have not come yet, as of the last look."""
    lacking: tuple[str, ...] = ()
    """Steps whose inputs have not come yet."""

    def __post_init__(self) -> None:
        self._sightings = Sightings()

    def next(self) -> Claimed | None:
        """The oldest work that nobody else does, under a lease; None if there is none.

        For whoever is the only agent of this state: a lease of the state's own writer is its own.
        """
        found = open_work(self.site.state, self.site.name)
        self._sightings.forget(work.name for work in found)
        self.waiting = tuple(work.name for work in found if not self._has_parameters(work))
        self.lacking = tuple(self._without_inputs(found))
        waiting = {*self.waiting, *self.lacking}
        now = self.now()
        # Every one is looked at, each time: the time of the others' leases runs on.
        free = [one for one in found if self._sightings.run_out(one, now, self.grace)]
        for work in found:
            if work.name in waiting:
                continue
            own = work.lease_of(self.site.ledger.writer)
            if own is not None:
                return Claimed(work, own, continued=True)
            if work in free and (claimed := self._take(work)) is not None:
                return claimed
        return None

    def _take(self, seen: Work) -> Claimed | None:
        def decision(state: State) -> tuple[Draft, ...]:
            return leases.take(state, seen, self.seconds, self.site.actor)

        if not self.site.ledger.decide(decision):
            return None
        work = work_of(self.site.state, seen.name)
        lease = work.lease_of(self.site.ledger.writer)
        return None if lease is None else Claimed(work, lease, seen.holder is not None)

    def _without_inputs(self, found: list[Work]) -> Iterator[str]:
        """An input that a rule forbids will never come: the work is claimed, and so refused."""
        labelled = None
        for work in found:
            lacking = [
                digest
                for digest in (work.step.inputs if work.step is not None else ())
                if not is_here(self.site, digest)
            ]
            if lacking:
                labelled = labelled or Labelled(self.site.state)
                own = self.site.project.spec.sites[self.site.name]
                if not any(labelled.rule(digest, own) for digest in lacking):
                    yield work.name

    def _has_parameters(self, work: Work) -> bool:
        """They travel on their own, and may come later than the request."""
        if not work.parameters_attachment:
            return True
        try:
            self.site.attachments.get(work.parameters_attachment)
        except IntegrityError as error:
            if error.code != "attachment.erased":
                raise
            return False
        return True


def give_back(site: Site, claimed: Claimed) -> bool:
    """Release the lease, unless the work is over or the lease is another's by now."""

    def decision(state: State) -> tuple[Draft, ...]:
        return leases.release(state, claimed.work.name, claimed.lease, site.actor)

    return bool(site.ledger.decide(decision))


def run_of(site: Site, work: Work) -> str:
    """The run that was begun for this work in this state, or empty.

    A lease that another machine took has another writer: what was begun there is not here.
    """
    own = {lease.taken for lease in work.leases if _same_state(lease.writer, site)}
    begun = [row for _, row in site.state.scan("runs") if own & set(row["cause"])]
    return str(max(begun, key=lambda row: row["started"])["run"]) if begun else ""


def _same_state(writer: str, site: Site) -> bool:
    """A state that was restored goes on under its name with a number."""
    own = site.ledger.writer
    return site_of(writer) == site.name and writer.partition(".")[0] == own.partition(".")[0]
