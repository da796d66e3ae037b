"""Where a step that may be interrupted is to run now, so that its deadline holds.

A step on spot has time as long as a machine on demand could still end it. So: it stays where it has
a machine; a place that gives none for a while, or took it away, is left for the next best of the
plan, and tried again later; and when on demand would be too late a moment afterwards, it goes there
to stay. "Can't Be Late" (Wu et al., NSDI 2024) calls that the safety net.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from freehold.domain.placement import Place

PATIENCE = 600.0
"""Seconds for which a place that gives no machine is waited for."""
AGAIN = 3600.0
"""Seconds after which a place that gave none, or took it away, is tried again."""


@dataclass(frozen=True)
class Way:
    """One place that a plan allows."""

    place: Place
    boot: float
    """Seconds."""
    work: float
    """Seconds of the whole step there."""

    def seconds(self, done: float) -> float:
        """Until the end, from asking for the machine."""
        return self.boot + self.work * (1.0 - done)


@dataclass(frozen=True)
class Route:
    """What a plan says of a step's places."""

    ways: tuple[Way, ...]
    """Where it may run while all others stay: first where it is placed, then the best first."""
    latest: float = inf
    """Seconds after the run began by which it must have ended, for the run's deadline to hold."""

    def way(self, place: Place) -> Way:
        """Of a place that the plan does not know, that of the first."""
        return next((way for way in self.ways if way.place == place), self.ways[0])


@dataclass(frozen=True)
class Moment:
    """What is known of a step on its way."""

    now: float
    """Seconds since the deadline's clock began."""
    done: float
    """Share of its work that is in checkpoints, 0 to 1."""
    place: Place | None = None
    """What it was asked of last; None: it begins."""
    since: float = 0.0
    """When it was asked."""
    runs: bool = False
    """Whether it has a machine there."""
    gone: Mapping[Place, float] = field(default_factory=dict)
    """Place → when it last took the machine away or was given up."""


def onward(ways: Sequence[Way], moment: Moment, deadline: float, beat: float) -> Place:
    """`ways`: at least one, the best first; `deadline`: seconds, on the moment's clock; `beat`:
    seconds until this is asked again. Ends in time if the estimates hold, something is on demand
    and it is asked before the last moment. Where nothing can, the soonest on demand."""
    fixed = [way for way in ways if not way.place.spot]
    here = next((way for way in ways if way.place == moment.place), None)
    in_time = [way for way in ways if _ends(way, moment) <= deadline]
    if here is not None and moment.runs and not here.place.spot:
        return here.place
    if fixed and all(_ends(way, moment) + beat > deadline for way in fixed):
        last = [way for way in in_time if not way.place.spot]
        return (last or sorted(fixed, key=lambda way: _ends(way, moment)))[0].place
    waits = here in in_time and here is not None and _is_waited_for(here, moment)
    if here is not None and (moment.runs or waits):
        return here.place
    tried = {place for place, when in moment.gone.items() if moment.now - when < AGAIN}
    following = [way.place for way in in_time if way.place not in {*tried, moment.place}]
    return following[0] if following else (here or ways[0]).place


def _ends(way: Way, moment: Moment) -> float:
    return moment.now + way.seconds(moment.done)


def _is_waited_for(way: Way, moment: Moment) -> bool:
    is_lost = moment.gone.get(way.place, -1.0) >= moment.since
    return not is_lost and moment.now - moment.since < PATIENCE
