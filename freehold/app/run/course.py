"""Where a run's steps go on that may be taken from their machines, and when they leave by choice.

What is known of a step on its way is gathered from one meeting with the other sites to the next;
`freehold.planning.onward` decides.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from freehold.domain.placement import Place
from freehold.planning.onward import Moment, Route, onward


@dataclass
class _Leg:
    """A step at the place of which it was asked last."""

    place: Place
    since: float
    runs_since: float | None = None
    """When it was first seen to have a machine; then when its work was last saved."""


@dataclass
class _Journey:
    route: Route
    done: float = 0.0
    """Share of the work that is in checkpoints."""
    saved: int = 0
    """Number of the newest checkpoint."""
    leg: _Leg | None = None
    gone: dict[Place, float] = field(default_factory=dict)
    following: Place | None = None
    """Chosen, and not yet asked for."""


class Course:
    """Of one run. Two threads use it: the one that meets the other sites, and the run's."""

    def __init__(
        self,
        routes: Mapping[str, Route],
        beat: float,
        began: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`beat`: seconds within which a step can be asked for elsewhere; `began`: when the run
        did, by `now`, in seconds."""
        self._journeys = {step: _Journey(route) for step, route in routes.items()}
        self._beat, self._began, self._now = beat, began, now
        self._lock = Lock()

    def leaves(self, step: str, place: Place, runs: bool, saved: int) -> Place | None:
        """Where the step goes now, or None if it stays at its place. To be asked at each meeting.

        `runs`: whether it has a machine there; `saved`: number of its newest checkpoint, 0 for
        none.
        """
        with self._lock:
            journey = self._journeys.get(step)
            if journey is None:
                return None
            leg = self._seen(journey, place, runs, saved)
            chosen = self._onward(journey, leg, runs)
            if chosen == place:
                return None
            journey.gone[place] = self._now()
            journey.following = chosen
            return chosen

    def after(self, step: str, lost: Place) -> Place | None:
        """Where it goes on that has no machine at that place any more; None where the plan knows
        of no other."""
        with self._lock:
            journey = self._journeys.get(step)
            if journey is None:
                return None
            following, journey.following = journey.following, None
            if following is not None and following != lost:
                return following
            now = self._now()
            journey.gone[lost] = now
            leg = journey.leg
            if leg is None or leg.place != lost:
                leg = _Leg(lost, now)
            return self._onward(journey, leg, runs=False)

    def _seen(self, journey: _Journey, place: Place, runs: bool, saved: int) -> _Leg:
        now, leg = self._now(), journey.leg
        if leg is None or leg.place != place or (leg.runs_since is not None and not runs):
            if leg is not None and leg.place == place:
                journey.gone[place] = now  # the machine was taken away, and is waited for again
            leg = journey.leg = _Leg(place, now)
        if runs and leg.runs_since is None:
            leg.runs_since = now
        if saved > journey.saved:
            if leg.runs_since is not None:
                work = journey.route.way(place).work
                share = (now - leg.runs_since) / work if work > 0.0 else 1.0
                journey.done, leg.runs_since = min(1.0, journey.done + share), now
            journey.saved = saved
        return leg

    def _onward(self, journey: _Journey, leg: _Leg, runs: bool) -> Place:
        began = self._began
        gone = {place: when - began for place, when in journey.gone.items()}
        moment = Moment(self._now() - began, journey.done, leg.place, leg.since - began, runs, gone)
        return onward(journey.route.ways, moment, journey.route.latest, self._beat)
