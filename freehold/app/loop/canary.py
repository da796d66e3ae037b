"""Moves a running release by what was seen of it since its step began."""

from dataclasses import dataclass, replace

import polars as pl

from freehold.app.model.scoring import profile_of
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import Site
from freehold.app.traffic.labels import labels
from freehold.app.traffic.requests import requests
from freehold.catalog.versions import version_of
from freehold.delivery.decision import Decision, Hold, Rollback, advance
from freehold.delivery.measurement import observe
from freehold.delivery.observation import Observation
from freehold.delivery.releases import conclude, running_release
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft
from freehold.domain.profile import NumberProfile
from freehold.domain.projection import State
from freehold.domain.release import Release
from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.ranking import compare
from freehold.domain.statistics.rows import scored


@dataclass(frozen=True)
class Move:
    """What became of a release at one look."""

    release: Release
    decision: Decision
    observation: Observation


def move_release(site: Site, model: str) -> Move | None:
    """Promote, complete or roll back the running release of a model; None if there is none."""
    release = running_release(site.state, model, site.name)
    if release is None:
        return None
    seen = _observe(site, release)
    decision = advance(release, seen)
    if release.driver != site.name and not isinstance(decision, Rollback):
        # The site that began it decides on its steps; any may stop it.
        return None
    if not isinstance(decision, Hold):
        # A finished step's end is caused by the step's beginning.
        def conclusion(state: State) -> list[Draft]:
            drafts = conclude(state, release, decision, seen.rows, cause=(release.fact,))
            return [replace(draft, cause=draft.cause or (release.fact,)) for draft in drafts]

        try:
            site.ledger.decide(conclusion)
        except Conflict as moved:
            # A person was quicker; what they decided stands.
            if moved.code != "release.finished":
                raise
            return None
        publish(site, model)
    return Move(release, decision, seen)


def spoken(move: Move) -> str:
    """One line for people."""
    name = f"{move.release.model}@{move.release.version}"
    decision, seen = move.decision, move.observation
    if isinstance(decision, Hold):
        return f"{name} stays at {move.release.weight} %: {decision.have} of {decision.need} rows"
    if isinstance(decision, Rollback):
        figures = f"{decision.value:.3g} over {decision.limit:.3g}, {seen.rows} rows"
        return f"{name} rolled back: {decision.guardrail} {figures}"
    weight = getattr(decision, "weight", None)
    if weight is None:
        return f"{name} is the champion, after {seen.rows} rows at {move.release.weight} %"
    return f"{name} goes to {weight} %, after {seen.rows} rows at {move.release.weight} %"


def _observe(site: Site, release: Release) -> Observation:
    rows = requests(site, release.model, answered_since=release.began)
    if rows is None:
        return Observation(0, 0)
    # A client that names a version itself says nothing about a release.
    rows = rows.filter((pl.col("version") == release.version) & pl.col("routing").is_not_null())
    if rows.is_empty():
        return Observation(0, 0)
    return observe(
        rows,
        canary=_baseline(site, release.model, release.version),
        champion=_baseline(site, release.model, release.previous),
        quality=_quality(site, release.model, rows),
    )


def _quality(site: Site, model: str, rows: pl.DataFrame) -> Estimate | None:
    first = int(rows["asked_at"].dt.epoch("us").min() or 0)  # type: ignore[arg-type]
    known = labels(site, model, first).unique("prediction_id", keep="last")
    both = rows.drop_nulls(["score", "reference_score"]).unique("prediction_id", keep="first")
    joined = both.join(known, on="prediction_id", how="inner")
    if joined.is_empty():
        return None
    return compare(
        scored(joined["score"].to_numpy(), joined["label"].to_numpy()),
        joined["reference_score"].to_numpy(),
    ).difference


def _baseline(site: Site, model: str, version: int | None) -> NumberProfile | None:
    if version is None:
        return None
    return profile_of(site, version_of(site.state, model, version)).score
