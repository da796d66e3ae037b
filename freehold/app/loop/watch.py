"""Measures what serves over the last days, once a day of traffic, and raises signals."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl

from freehold.app.model.scoring import profile_of
from freehold.app.site.opening import Site
from freehold.app.traffic.labels import labels
from freehold.app.traffic.requests import requests
from freehold.catalog.traffic import newest_file
from freehold.catalog.versions import ModelVersion, version_of
from freehold.delivery.releases import aliases_of
from freehold.domain.canonical import canonical
from freehold.domain.evidence import Evidence
from freehold.domain.fact import Draft
from freehold.domain.package import EVIDENCE
from freehold.domain.project import MonitoringSpec
from freehold.domain.projection import State
from freehold.domain.signal import Signal, Window
from freehold.domain.statistics.figures import Measures
from freehold.monitoring.assessments import assessed, assessments, is_assessed
from freehold.monitoring.drift import drift
from freehold.monitoring.proposals import made, proposals_of, propose, raised, signals_of
from freehold.monitoring.quality import quality
from freehold.monitoring.signals import Observation, assess, fresh
from freehold.serving.prediction_log import inputs_of, of_the_share, personal_in

DAY = timedelta(days=1)


def watch(site: Site, model: str) -> list[Signal]:
    """Signals raised now; none when the champion's last day of traffic was looked at already.

    For whoever holds the model's turn.
    """
    champion = aliases_of(site.state, model).get("champion")
    day = _last_complete_day(site, model)
    if champion is None or not day or is_assessed(site.state, site.name, model, champion, day):
        return []
    settings = site.project.spec.monitoring
    seen = _measure(site, version_of(site.state, model, champion), day, settings)
    if seen is None:
        return []
    report = {
        "drift": seen.drift.as_json() if seen.drift else None,
        "quality": seen.quality.as_json() if seen.quality else None,
    }
    stored = site.artifacts.put(canonical(report))
    measured = assessed(seen, stored)
    found = assess(seen, settings)
    new: list[Signal] = []

    def decision(state: State) -> list[Draft]:
        """Measurement, signals and proposal stand together: none is lost on the way."""
        new.clear()
        # A collection may have let go of what nothing named yet: then the next turn measures.
        is_there = site.artifacts.holds(stored)
        if is_assessed(state, site.name, model, champion, day) or not is_there:
            return []
        new.extend(fresh(found, signals_of(state, model), settings))
        drafts = [measured, *(raised(signal, ["+0"]) for signal in new)]
        proposal = propose(found, proposals_of(state, model), day, settings)
        if proposal is not None:
            asking = [f"+{1 + n}" for n, one in enumerate(new) if one.severity == "action"]
            drafts.append(made(proposal, asking or ["+0"]))
        return drafts

    site.ledger.decide(decision)
    return new


def _measure(
    site: Site, version: ModelVersion, day: str, settings: MonitoringSpec
) -> Observation | None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - (settings.window_days - 1) * DAY
    since = int(start.timestamp() * 1e6)
    rows = requests(site, version.model, since)
    if rows is None:
        return None
    routed = of_the_share(rows).filter(
        pl.col("routing").is_not_null() & (pl.col("asked_at") < start + settings.window_days * DAY)
    )
    champions = routed.filter((pl.col("alias") == "champion") & pl.col("score").is_not_null())
    own = champions.filter(pl.col("version") == version.version)
    if own.is_empty() or not _covers(site, version, champions, start):
        return None
    rows = pl.concat([own, _beside(routed, version)])
    return Observation(
        model=version.model,
        version=version.version,
        window=Window(start.date().isoformat(), day),
        drift=drift(
            profile_of(site, version),
            inputs_of(rows),
            scores=rows["score"].to_numpy(),
            personal=personal_in(rows),
            minimum_rows=settings.minimum_rows,
        ),
        quality=_labelled(site, version.model, rows, since),
        reference=evidence_of(site, version).overall,
    )


def _beside(routed: pl.DataFrame, version: ModelVersion) -> pl.DataFrame:
    """Rows that a canary answered, with the champion's own score: it scores them too.

    Without them the champion's week would thin out, day by day, as a release advances.
    """
    canary = (pl.col("alias") == "challenger") & (pl.col("version") != version.version)
    return (
        routed.filter(canary)
        .with_columns(score="reference_score")
        .filter(pl.col("score").is_not_null())
    )


def _covers(site: Site, version: ModelVersion, champions: pl.DataFrame, start: datetime) -> bool:
    """Whether the version served the whole window: a week with no Sunday in it always drifts.

    What it answered in an earlier reign does not make a few days of this one a week.
    """
    own = pl.col("version") == version.version
    other = champions.filter(~own)["asked_at"].max()
    if isinstance(other, datetime) and other >= start + DAY:
        return False
    first = champions.filter(own)["asked_at"].min()
    if isinstance(first, datetime) and first < start + DAY:
        return True
    before = list(assessments(site.state, site.name, version.model))[-1:]
    return bool(before) and before[0]["version"] == version.version


def _labelled(site: Site, model: str, rows: pl.DataFrame, since: int) -> Measures | None:
    known = labels(site, model, since)
    if known.is_empty():
        return None
    return quality(rows.with_columns(time="asked_at"), known).overall


def evidence_of(site: Site, version: ModelVersion) -> Evidence:
    return Evidence.from_json(json.loads(site.artifacts.get(version.attestations[EVIDENCE])))


def _last_complete_day(site: Site, model: str) -> str:
    """The day before that of what was answered last: a day that still goes on is not judged.

    By the time of asking, so that a replay is measured by its own calendar.
    """
    last = newest_file(site.state, site.name, model)
    if last is None:
        return ""
    return (datetime.fromtimestamp(last.last / 1e6, UTC) - DAY).date().isoformat()
