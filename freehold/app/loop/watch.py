"""Measures what serves over the last days, once a day of traffic, and raises signals."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl

from freehold.app.model.scoring import profile_of
from freehold.app.site.opening import Site
from freehold.app.traffic.labels import labels
from freehold.app.traffic.requests import requests
from freehold.catalog.traffic import log_files
from freehold.catalog.versions import ModelVersion, version_of
from freehold.delivery.releases import aliases_of
from freehold.domain.canonical import canonical
from freehold.domain.evidence import Evidence
from freehold.domain.fact import Draft
from freehold.domain.package import EVIDENCE
from freehold.domain.project import MonitoringSpec
from freehold.domain.signal import Signal, Window
from freehold.domain.statistics.figures import Measures
from freehold.monitoring.assessments import assessed, assessments, last_day
from freehold.monitoring.drift import drift
from freehold.monitoring.proposals import made, proposals_of, propose, raised, signals_of
from freehold.monitoring.quality import quality
from freehold.monitoring.signals import Observation, assess, fresh
from freehold.serving.prediction_log import inputs_of

DAY = timedelta(days=1)


def watch(site: Site, model: str) -> list[Signal]:
    """Signals raised now; none when the champion's last day of traffic was looked at already."""
    champion = aliases_of(site.state, model).get("champion")
    day = _last_complete_day(site, model)
    if champion is None or not day or day <= last_day(site.state, model):
        return []
    settings = site.project.spec.monitoring
    seen = _measure(site, version_of(site.state, model, champion), day, settings)
    if seen is None:
        return []
    report = {
        "drift": seen.drift.as_json() if seen.drift else None,
        "quality": seen.quality.as_json() if seen.quality else None,
    }
    draft = assessed(seen, site.artifacts.put(canonical(report)))
    (entry,) = site.ledger.append([draft])
    return _raise(site, seen, settings, entry.fact.name)


def _raise(site: Site, seen: Observation, settings: MonitoringSpec, cause: str) -> list[Signal]:
    found = assess(seen, settings)
    new = fresh(found, signals_of(site.state, seen.model), settings)
    drafts: list[Draft] = [raised(signal, [cause]) for signal in new]
    entries = site.ledger.append(drafts) if drafts else ()
    proposal = propose(found, proposals_of(site.state, seen.model), seen.window.end, settings)
    if proposal is not None:
        site.ledger.append([made(proposal, [entry.fact.name for entry in entries] or [cause])])
    return new


def _measure(
    site: Site, version: ModelVersion, day: str, settings: MonitoringSpec
) -> Observation | None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - (settings.window_days - 1) * DAY
    since = int(start.timestamp() * 1e6)
    rows = requests(site, version.model, since)
    if rows is None:
        return None
    rows = rows.filter(
        (pl.col("version") == version.version)
        & (pl.col("asked_at") < start + settings.window_days * DAY)
        & pl.col("score").is_not_null()
    )
    if rows.is_empty() or not _covers(site, version, rows, start):
        return None
    return Observation(
        model=version.model,
        version=version.version,
        window=Window(start.date().isoformat(), day),
        drift=drift(
            profile_of(site, version),
            inputs_of(rows),
            scores=rows["score"].to_numpy(),
            minimum_rows=settings.minimum_rows,
        ),
        quality=_labelled(site, version.model, rows, since),
        reference=evidence_of(site, version).overall,
    )


def _covers(site: Site, version: ModelVersion, rows: pl.DataFrame, start: datetime) -> bool:
    """Whether the version served the whole window: a week with no Sunday in it always drifts."""
    first = rows["asked_at"].min()
    if isinstance(first, datetime) and first < start + DAY:
        return True
    before = list(assessments(site.state, version.model))[-1:]
    return bool(before) and before[0]["version"] == version.version


def _labelled(site: Site, model: str, rows: pl.DataFrame, since: int) -> Measures | None:
    known = labels(site, model, since)
    if known.is_empty():
        return None
    return quality(rows.with_columns(time="asked_at"), known).overall


def evidence_of(site: Site, version: ModelVersion) -> Evidence:
    return Evidence.from_json(json.loads(site.artifacts.get(version.attestations[EVIDENCE])))


def _last_complete_day(site: Site, model: str) -> str:
    """The day before that of the newest request: a day that still goes on is not judged."""
    last = max((file.last for file in log_files(site.state, model)), default=0)
    if not last:
        return ""
    return (datetime.fromtimestamp(last / 1e6, UTC) - DAY).date().isoformat()
