"""Moves a running release by what was seen of it since its steps began."""

from dataclasses import dataclass, replace
from itertools import pairwise

import polars as pl

from freehold.app.model.scoring import profile_of
from freehold.app.release.serving_folder import publish, table_in_force
from freehold.app.site.opening import Site
from freehold.app.traffic.labels import labels
from freehold.app.traffic.requests import requests
from freehold.catalog.versions import version_of
from freehold.delivery.analysis import analysed, held_by_ratio
from freehold.delivery.decision import Decision, Hold, Rollback, advance
from freehold.delivery.measurement import assigned, metric_difference, observe
from freehold.delivery.observation import Assignment, Observation
from freehold.delivery.releases import conclude, running_release
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft
from freehold.domain.profile import NumberProfile
from freehold.domain.projection import State
from freehold.domain.release import Release
from freehold.domain.statistics.estimate import Estimate

NOTHING = Observation(0, 0)


@dataclass(frozen=True)
class Move:
    """What became of a release at one look."""

    release: Release
    decision: Decision
    observation: Observation
    """Since the running step began."""
    recorded: bool = True
    """Whether this look left a fact."""


def move_release(site: Site, model: str) -> Move | None:
    """Promote, complete or roll back the running release of a model; None if there is none."""
    release = running_release(site.state, model, site.name)
    if release is None:
        return None
    seen = _observations(site, release)
    decision = advance(release, *seen)
    if release.driver != site.name and not isinstance(decision, Rollback):
        # The site that began it decides on its steps; any may stop it.
        return None
    move = Move(release, decision, seen[0])
    found = analysed(release, decision, seen)
    if isinstance(decision, Hold):
        return replace(move, recorded=_hold(site, release, decision, found))

    # A finished step's end is caused by the step's beginning.
    def conclusion(state: State) -> list[Draft]:
        drafts = conclude(state, release, decision, seen[0].rows, cause=(release.fact, "+0"))
        whole = [replace(draft, cause=draft.cause or (release.fact,)) for draft in drafts]
        return [found, *whole] if whole else []

    try:
        site.ledger.decide(conclusion)
    except Conflict as moved:
        # A person was quicker; what they decided stands.
        if moved.code != "release.finished":
            raise
        return None
    publish(site, model)
    return move


def _hold(site: Site, release: Release, decision: Hold, found: Draft) -> bool:
    """Waiting for rows leaves nothing behind; that rows go astray is recorded once a step."""
    if decision.reason != "sample-ratio":
        return False

    def decide(state: State) -> list[Draft]:
        return [] if held_by_ratio(state, release) else [found]

    return bool(site.ledger.decide(decide))


def spoken(move: Move) -> str:
    """One line for people."""
    name = f"{move.release.model}@{move.release.version}"
    decision, seen = move.decision, move.observation
    if isinstance(decision, Hold):
        have, need = decision.have, decision.need
        if decision.reason == "sample-ratio":
            went = f"{have:,} ids went to it instead of some {need:,}"
            return f"{name} stays at {move.release.weight} %: {went}, so nothing can be compared"
        return f"{name} stays at {move.release.weight} %: {have} of {need} rows"
    if isinstance(decision, Rollback):
        figures = f"{decision.value:.3g} over {decision.limit:.3g}, {seen.rows} rows"
        return f"{name} rolled back: {decision.guardrail} {figures}"
    weight = getattr(decision, "weight", None)
    if weight is None:
        return f"{name} is the champion, after {seen.rows} rows at {move.release.weight} %"
    return f"{name} goes to {weight} %, after {seen.rows} rows at {move.release.weight} %"


def _observations(site: Site, release: Release) -> list[Observation]:
    """Since each step that was reached began, up to now; of the running step first."""
    rows = requests(site, release.model, answered_since=release.begun[0])
    # A client that names a version itself says nothing about a release.
    routed = None if rows is None else rows.filter(pl.col("routing").is_not_null())
    if routed is None or routed.is_empty():
        return [NOTHING for _ in release.begun]
    known = _outcomes(site, release.model, routed)
    canary = _baseline(site, release.model, release.version)
    champion = _baseline(site, release.model, release.previous)
    own = routed.filter(pl.col("version") == release.version)
    ends = [until for _, until in pairwise(release.begun)] + [None]
    found = [
        replace(
            observe(own.filter(_answered(since)), release.risk, canary, champion, known),
            metrics=_metrics(release, routed.filter(_answered(since, until)), known),
        )
        for since, until in zip(release.begun, ends, strict=True)
    ]
    found[-1] = replace(found[-1], assignment=_assignment(site, release, routed))
    return found[::-1]


def _answered(since: int, until: int | None = None) -> pl.Expr:
    at = pl.col("at").dt.epoch("us")
    return at >= since if until is None else (at >= since) & (at < until)


def _outcomes(site: Site, model: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The last that is known of each prediction, in the order in which it came."""
    first = int(rows["asked_at"].dt.epoch("us").min() or 0)  # type: ignore[arg-type]
    known = labels(site, model, first)
    return known.unique("prediction_id", keep="last", maintain_order=True)


def _metrics(release: Release, rows: pl.DataFrame, known: pl.DataFrame) -> dict[str, Estimate]:
    found = {
        name: metric_difference(rows, known, name, release.version, release.risk)
        for name in release.settings.metrics
    }
    return {name: one for name, one in found.items() if one is not None}


def _assignment(site: Site, release: Release, rows: pl.DataFrame) -> Assignment | None:
    """By the table in force, if it is the release's: until an endpoint has loaded it, none of its
    rows are there."""
    table = table_in_force(site)
    if table is None or table.salt != release.id:
        return None
    return assigned(rows.filter(_answered(release.begun[-1])), table, release.version)


def _baseline(site: Site, model: str, version: int | None) -> NumberProfile | None:
    if version is None:
        return None
    return profile_of(site, version_of(site.state, model, version)).score
