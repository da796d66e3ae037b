"""Promote, hold or roll back: a pure function of a release and what was seen of it.

Laws
- A crossed guardrail rolls back, whatever else is true of the observation.
- No step is left upwards before its minimum of rows, nor while rows do not go where they should.
- A step that needs sites' words is not left before each of them gave its own: of blue-green, that
  the version is loaded there; of a rolling release, that it has served all of the site's traffic
  for its time and its minimum of rows, with no guardrail crossed.
- Weights only grow until a rollback; a finished release stays as it is.
- A trial tells its result once, and `winner` of it is right but for `ab_test.risk`, at whatever
  look it is told: no bound of the effect is ever wrong with more.
- A person's pause and a freeze turn a step upwards into a hold, and nothing else.
- However often it is looked at, a release with nothing wrong goes back with a chance of at most
  `settings.false_rollbacks`: each bound in an observation is wrong, ever, with at most
  `release.risk`, and there are no more of them than that was divided by.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import log
from typing import Literal

from freehold.delivery.figures import Figure, figures
from freehold.delivery.observation import Assignment, Observation
from freehold.domain.project import ReleaseSpec
from freehold.domain.release import Release, Winner
from freehold.domain.statistics.estimate import Estimate


@dataclass(frozen=True)
class Hold:
    reason: Literal[
        "rows", "finished", "sample-ratio", "paused", "frozen", "sites", "time", "decided"
    ]
    have: int
    """Rows; with `sample-ratio`, ids that went to the canary; with `sites`, how many are ready;
    with `time`, seconds."""
    need: int
    """The same; with `sample-ratio`, ids that should have gone there."""
    detail: str = ""
    """With `frozen`, by what: a code; with `sites`, the first that is not ready; with `decided`,
    the winner."""


@dataclass(frozen=True)
class Promote:
    weight: int
    """Percent, greater than before."""


@dataclass(frozen=True)
class Complete:
    """The version becomes the champion."""


@dataclass(frozen=True)
class Rollback:
    guardrail: str
    """`error-rate`, `latency-ratio`, `score-shift`, `quality-drop`, `metric:NAME`, `person`, or
    `trial` where the champion was found to be better."""
    value: float
    limit: float


@dataclass(frozen=True)
class Decide:
    """A trial's result is told."""

    metric: str
    winner: Winner
    effect: Estimate


@dataclass(frozen=True)
class Ready:
    """What the running step needs is met at a site."""

    site: str


Decision = Hold | Promote | Complete | Rollback | Decide
MINUTE, DAY = 60_000_000, 86_400_000_000
"""Microseconds."""


def advance(release: Release, seen: Observation, *earlier: Observation, now: int = 0) -> Decision:
    """`seen` is of the step that runs; `earlier` has what was seen since each step before it began,
    up to now, so that what a short step cannot show is not forgotten. `now`: microseconds since
    1970 UTC, for those steps that last a while."""
    if release.status != "running":
        return Hold("finished", seen.rows, 0)
    crossed = breach(release, seen, *earlier)
    if crossed is not None:
        return crossed
    if release.strategy == "immediate":
        return Complete()
    if seen.assignment is not None and astray(release, seen.assignment):
        return Hold("sample-ratio", seen.assignment.canary, seen.assignment.expected)
    if release.strategy == "ab-test":
        return _of_trial(release, seen, now)
    return _met(release, seen, now) or _upwards(release)


def ready(
    release: Release, site: str, seen: Observation, *earlier: Observation, now: int, loaded: bool
) -> Ready | None:
    """A site's own word on the running step, where the step needs it and it was not given.

    `loaded`: whether the site's endpoint has verified and loaded what the step wants there. A
    rolling release's version must also have soaked, and answered its minimum of rows there.
    """
    if site not in release.unready or breach(release, seen, *earlier) is not None:
        return None
    if release.strategy == "blue-green":
        return Ready(site) if loaded else None
    soaked = now - release.begun[-1] >= release.settings.rolling.soak_minutes * MINUTE
    served = seen.rows >= release.settings.minimum_rows
    return Ready(site) if soaked and served else None


def _met(release: Release, seen: Observation, now: int) -> Hold | None:
    """Why the step is not left yet."""
    settings = release.settings
    if release.awaited:
        count = len(release.awaited)
        left = release.unready
        return Hold("sites", count - len(left), count, left[0]) if left else None
    if seen.rows < settings.minimum_rows:
        return Hold("rows", seen.rows, settings.minimum_rows)
    if release.strategy == "blue-green":
        kept, long = now - release.begun[-1], settings.blue_green.keep_minutes * MINUTE
        return Hold("time", kept // 1_000_000, round(long / 1e6)) if kept < long else None
    return None


def _of_trial(release: Release, seen: Observation, now: int) -> Decision:
    """Tell which is better when its time or its rows have come; act on it where nobody has to."""
    wanted = release.settings.ab_test
    effect = seen.effect or Estimate.unknown("empty")
    if release.winner:
        if wanted.then == "person" or release.winner == "none":
            return Hold("decided", effect.count, wanted.rows, release.winner)
        lost = Rollback("trial", abs(effect.value or 0.0), 0.0)
        return Complete() if release.winner == "version" else lost
    winner = better(release.settings, effect)
    passed, long = now - release.begun[0], wanted.days * DAY
    full = wanted.rows and effect.count >= wanted.rows
    if passed >= long or full or (wanted.early and winner != "none"):
        return Decide(wanted.metric, winner, effect)
    return Hold("time", passed // 1_000_000, round(long / 1e6))


def better(settings: ReleaseSpec, effect: Estimate) -> Winner:
    """Which of the two is better for sure: all that may be true of the effect says so."""
    if effect.low is None or effect.high is None:
        return "none"
    metric = settings.metrics.get(settings.ab_test.metric)
    higher = metric is None or metric.better == "higher"
    if effect.low > 0:
        return "version" if higher else "champion"
    if effect.high < 0:
        return "champion" if higher else "version"
    return "none"


def _upwards(release: Release) -> Promote | Complete:
    if release.step + 1 < len(release.steps):
        return Promote(release.steps[release.step + 1])
    return Complete()


def restrained(release: Release, decision: Decision, seen: Observation, frozen: str) -> Decision:
    """What becomes of a decision where a person has paused the release, or where all are frozen:
    `frozen` says by what, in a code, or is empty."""
    if not isinstance(decision, Promote | Complete):
        return decision
    if release.paused:
        return Hold("paused", seen.rows, 0)
    return Hold("frozen", seen.rows, 0, frozen) if frozen else decision


def breach(release: Release, *seen: Observation) -> Rollback | None:
    """The first guardrail that was crossed beyond chance."""
    crossed = (one for one in of_all(release, *seen) if one.crossed)
    for one in crossed:
        assert one.estimate.value is not None
        return Rollback(one.guardrail, one.estimate.value, one.limit)
    return None


def of_all(release: Release, *seen: Observation) -> Iterator[Figure]:
    return chain.from_iterable(figures(release.settings, one) for one in seen)


def astray(release: Release, assignment: Assignment) -> bool:
    """Whether ids went to the variants in other shares than the table's, beyond chance.

    Each step's table is tested anew, and the chance that any of these tests is ever wrong is that
    of a false rollback.
    """
    risk = release.settings.false_rollbacks / len(release.steps)
    return assignment.evidence >= log(1 / risk)
