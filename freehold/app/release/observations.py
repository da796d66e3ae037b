"""What was seen of a release at this site since its steps began."""

from dataclasses import replace
from itertools import pairwise

import polars as pl

from freehold.app.model.scoring import profile_of
from freehold.app.release.serving_folder import table_in_force
from freehold.app.site.opening import Site
from freehold.app.traffic.labels import labels
from freehold.app.traffic.requests import requests
from freehold.catalog.versions import version_of
from freehold.delivery.bandit import Arm
from freehold.delivery.measurement import assigned, metric_difference, observe, rewards, shadowed
from freehold.delivery.observation import Assignment, Observation
from freehold.domain.profile import NumberProfile
from freehold.domain.release import Release
from freehold.domain.statistics.estimate import Estimate

NOTHING = Observation(0, 0)
HOUR = 3_600_000_000
"""Microseconds."""


def observations(site: Site, release: Release) -> list[Observation]:
    """Since each step began from which on this site looks, up to now; of the last one first."""
    begun = release.begun_at(site.name)
    routed = _routed(site, release)
    if routed is None:
        return [NOTHING for _ in begun]
    known = _outcomes(site, release.model, routed)
    canary = _baseline(site, release.model, release.version)
    champion = _baseline(site, release.model, release.previous)
    own = _own(release, routed)
    ends = [until for _, until in pairwise(begun)] + [None]
    found = [
        replace(
            observe(own.filter(_answered(since)), release.risk, canary, champion, known),
            metrics=_metrics(release, routed.filter(_answered(since, until)), known),
        )
        for since, until in zip(begun, ends, strict=True)
    ]
    trial = routed.filter(_answered(begun[0], ends[0]))
    found[-1] = replace(
        found[-1],
        assignment=_assignment(site, release, routed),
        effect=_effect(release, trial, known),
        arms=_arms(release, trial, known, site.clock()),
    )
    return found[::-1]


def own_rows(site: Site, release: Release) -> pl.DataFrame | None:
    """Rows of the log that the release's version was routed, or scored as a shadow, since it began;
    None when nothing was asked."""
    routed = _routed(site, release)
    return None if routed is None else _own(release, routed)


def _routed(site: Site, release: Release) -> pl.DataFrame | None:
    since = release.begun_at(site.name)[0]
    rows = requests(site, release.model, answered_since=since)
    # A client that names a version itself says nothing about a release.
    routed = None if rows is None else rows.filter(pl.col("routing").is_not_null())
    return None if routed is None or routed.is_empty() else routed


def _own(release: Release, routed: pl.DataFrame) -> pl.DataFrame:
    own = routed.filter(pl.col("version") == release.version)
    if release.strategy == "shadow":
        own = pl.concat([own, shadowed(routed, release.version)], how="diagonal_relaxed")
    return own


def _answered(since: int, until: int | None = None) -> pl.Expr:
    at = pl.col("at").dt.epoch("us")
    return at >= since if until is None else (at >= since) & (at < until)


def _outcomes(site: Site, model: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The last that is known of each prediction, in the order in which it came."""
    first = int(rows["asked_at"].dt.epoch("us").min() or 0)  # type: ignore[arg-type]
    known = labels(site, model, first)
    return known.unique("prediction_id", keep="last", maintain_order=True)


def _metrics(release: Release, rows: pl.DataFrame, known: pl.DataFrame) -> dict[str, Estimate]:
    """None of a bandit, whose shares change within its step: the means could not be compared."""
    if release.strategy == "bandit":
        return {}
    found = {
        name: metric_difference(rows, known, name, release.version, release.risk)
        for name in release.settings.metrics
    }
    return {name: one for name, one in found.items() if one is not None}


def _effect(release: Release, rows: pl.DataFrame, known: pl.DataFrame) -> Estimate | None:
    """Of an A/B test, of rows of one step; both bounds share its own risk."""
    if release.strategy != "ab-test":
        return None
    wanted = release.settings.ab_test
    return metric_difference(rows, known, wanted.metric, release.version, wanted.risk / 2)


def _arms(
    release: Release, rows: pl.DataFrame, known: pl.DataFrame, now: int
) -> tuple[Arm, Arm] | None:
    if release.strategy != "bandit":
        return None
    wanted = release.settings.bandit
    closed = rows.filter(pl.col("at").dt.epoch("us") <= now - wanted.window_hours * HOUR)
    absent = 0.0 if wanted.absent == "zero" else None
    earned = rewards(closed, known, wanted.metric, absent)
    own = pl.col("version") == release.version
    champion, version = (earned.filter(one)["reward"].to_numpy() for one in (~own, own))
    return Arm.of(champion), Arm.of(version)


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
