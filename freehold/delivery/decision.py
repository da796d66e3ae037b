"""Promote, hold or roll back: a pure function of a release and what was seen of it.

Laws
- A crossed guardrail rolls back, whatever else is true of the observation.
- No step is left upwards before its minimum of rows, nor while rows do not go where they should.
- A step that needs sites' words is not left before each of them gave its own: of blue-green, that
  the version is loaded there; where it goes region after region, of a region's last step, that it
  has served all of the site's traffic for its time and its minimum of rows, with no guardrail
  crossed.
- A site's weights, but a bandit's, only grow until a rollback; a finished release stays as it is.
- A trial tells its result once, and `winner` of it is right but for `ab_test.risk`, at whatever
  look it is told: no bound of the effect is ever wrong with more.
- A person's pause and a freeze turn what would change the weights, but a rollback, into a hold.
- However often it is looked at, a release with nothing wrong goes back with a chance of at most
  `settings.false_rollbacks`: each bound in an observation is wrong, ever, with at most
  `release.risk`, and there are no more of them than that was divided by.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import log
from typing import Literal

from freehold.delivery.bandit import Arm, chances, draws, effect, shares
from freehold.delivery.figures import Figure, figures
from freehold.delivery.observation import Assignment, Observation
from freehold.domain.project import ReleaseSpec
from freehold.domain.release import Release, Winner
from freehold.domain.statistics.estimate import Estimate


@dataclass(frozen=True)
class Hold:
    reason: Literal[
        "rows",
        "finished",
        "sample-ratio",
        "paused",
        "frozen",
        "sites",
        "time",
        "decided",
        "person",
        "lead",
    ]
    have: int
    """Rows; with `sample-ratio`, ids that went to the canary; with `sites`, how many are ready;
    with `time`, seconds."""
    need: int
    """The same; with `sample-ratio`, ids that should have gone there."""
    detail: str = ""
    """With `frozen`, by what: a code; with `sites`, the first that is not ready; with `decided`,
    the winner; with `lead`, the site that decides."""


@dataclass(frozen=True)
class Promote:
    """To the next step."""

    weight: int
    """Percent that it gives: greater than before, but where the next region begins."""


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
class Reweigh:
    """A bandit gives the version another share."""

    weight: int
    """Percent."""
    look: int
    """How many changes there are with this one."""
    chance: float
    """That the version is the better one, given what was earned."""
    arms: tuple[Arm, Arm]
    """The champion's, the version's."""


@dataclass(frozen=True)
class Ready:
    """What the running step needs is met at a site."""

    site: str


Decision = Hold | Promote | Complete | Rollback | Decide | Reweigh
UPWARDS = (Promote, Complete, Reweigh)
"""What a pause or a freeze keeps from happening."""
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
    if release.is_trying:
        return _of_trial(release, seen, now)
    return _met(release, seen, now) or _upwards(release)


def ready(
    release: Release, site: str, seen: Observation, *earlier: Observation, now: int, loaded: bool
) -> Ready | None:
    """A site's own word on the running step, where the step needs it and it was not given.

    `loaded`: whether the site's endpoint has verified and loaded what the step wants there. In the
    last step of a region the version must have soaked, and answered its minimum of rows there.
    """
    if site not in release.unready or breach(release, seen, *earlier) is not None:
        return None
    if not release.is_last_within:
        return Ready(site) if loaded else None
    minutes = release.settings.rolling.soak_minutes
    if release.strategy == "blue-green":
        minutes = max(minutes, release.settings.blue_green.keep_minutes)
    soaked = now - release.begun[-1] >= minutes * MINUTE
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
    minutes = 0.0
    if release.strategy == "blue-green":
        minutes = settings.blue_green.keep_minutes
    elif release.is_shadow:
        minutes = settings.shadow.hours * 60
    passed, long = now - release.begun[-1] if minutes else 0, minutes * MINUTE
    if passed < long:
        return Hold("time", passed // 1_000_000, round(long / 1e6))
    waits = release.is_shadow and settings.shadow.then == "person"
    return Hold("person", seen.rows, 0) if waits else None


def _of_trial(release: Release, seen: Observation, now: int) -> Decision:
    """Tell which is better when its time or its rows have come; act on it where nobody has to."""
    if release.winner:
        return _told(release, seen)
    wanted = release.settings
    passed = now - release.stage_began
    if release.strategy == "bandit":
        return _of_bandit(release, seen, now)
    test, found = wanted.ab_test, seen.effect or Estimate.unknown("empty")
    winner, long = better(wanted, test.metric, found), test.days * DAY
    full = test.rows and found.count >= test.rows
    if passed >= long or full or (test.early and winner != "none"):
        return Decide(test.metric, winner, found)
    return Hold("time", passed // 1_000_000, round(long / 1e6))


def _told(release: Release, seen: Observation) -> Decision:
    """What becomes of a trial whose result is known."""
    assert release.trial is not None
    if release.trial.then == "person" or not release.winner or release.winner == "none":
        return Hold("decided", seen.rows, 0, release.winner)
    return _upwards(release) if release.winner == "version" else Rollback("trial", 0.0, 0.0)


def _of_bandit(release: Release, seen: Observation, now: int) -> Decision:
    """Another share, if it is time for one and what was earned says so; the result at the end."""
    wanted = release.settings.bandit
    arms = seen.arms or (Arm(0), Arm(0))
    higher = _is_higher_better(release.settings, wanted.metric)
    drawn = draws(arms, (release.seed, release.look))
    passed, long = now - release.stage_began, wanted.days * DAY
    if passed >= long:
        if drawn is None:
            return Decide(wanted.metric, "none", Estimate.unknown("too-few-rows"))
        found = effect(drawn, arms, wanted.sure)
        return Decide(wanted.metric, better(release.settings, wanted.metric, found), found)
    due = now - (release.weighed or release.stage_began) >= wanted.every_minutes * MINUTE
    if drawn is not None and due:
        chance = chances(drawn, higher)
        weight = shares(chance, wanted.floor)[1]
        if weight != release.weight:
            return Reweigh(weight, release.look + 1, float(chance[1]), arms)
    return Hold("time", passed // 1_000_000, round(long / 1e6))


def better(settings: ReleaseSpec, metric: str, found: Estimate) -> Winner:
    """Which of the two is better for sure: all that may be true of the effect says so."""
    if found.low is None or found.high is None:
        return "none"
    higher = _is_higher_better(settings, metric)
    if found.low > 0:
        return "version" if higher else "champion"
    if found.high < 0:
        return "champion" if higher else "version"
    return "none"


def _is_higher_better(settings: ReleaseSpec, metric: str) -> bool:
    named = settings.metrics.get(metric)
    return named is None or named.better == "higher"


def _upwards(release: Release) -> Promote | Complete:
    if release.step + 1 < len(release.steps):
        return Promote(release.steps[release.step + 1])
    return Complete()


def restrained(release: Release, decision: Decision, seen: Observation, frozen: str) -> Decision:
    """What becomes of a decision where a person has paused the release, or where all are frozen:
    `frozen` says by what, in a code, or is empty."""
    if not isinstance(decision, UPWARDS):
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

    Each table is tested anew, and the chance that any of these tests is ever wrong is that of a
    false rollback: a canary has as many as it has steps; a bandit's table number n, of which there
    may be any number, has the part 1/(n (n + 1)), and these sum to 1.
    """
    look = release.look + release.stage + 1
    parts = look * (look + 1) if release.strategy == "bandit" else len(release.steps)
    risk = release.settings.false_rollbacks / parts
    return assignment.evidence >= log(1 / risk)
