"""Mirrors a version into the project's tracker. A tracker that fails never fails a run.

A tracker on another machine is a place like any other: a version that bears labels goes there only
if the project says which site it counts as, and that site's rules allow them.

Facts
  tracking.recorded {model, version, run, tracked_version}
  tracking.failed   {model, version, code}
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from freehold.app import adapters
from freehold.app.addresses import is_loopback
from freehold.app.model.candidate import TrainedModel
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.domain.errors import FreeholdError, PolicyDenied
from freehold.domain.evidence import Evidence
from freehold.domain.fact import Draft
from freehold.domain.package import CARD, CARD_PAGE
from freehold.domain.project import TrackingSpec
from freehold.ports.tracker import TrackedRun, Tracker
from freehold.replication.travel import barred

BARRED = "tracker.barred"
_FILES = ("file", "sqlite")
"""Schemes of what lies in a file of this machine, where they name no host."""


def track(
    site: Site,
    version: ModelVersion,
    trained: TrainedModel,
    evidence: Evidence,
    documents: Mapping[str, bytes],
    package: Mapping[str, bytes],
) -> list[str]:
    """Returns warnings; a failure is recorded in the ledger by its code, and never raised."""
    spec = site.project.spec.tracking
    if spec is None:
        return []
    run = TrackedRun(
        experiment=site.project.spec.project,
        name=f"{version.name} {version.run}",
        parameters=trained.candidate.parameters,
        metrics=version.headline,
        reliability=tuple(
            (one.predicted, one.observed.value)
            for one in evidence.calibration.bins
            if one.observed.value is not None
        ),
        strengths={one.name: one.mean for one in evidence.features},
        files={name: documents[name] for name in (CARD, CARD_PAGE)},
        package=package,
        model=version.model,
        tags={"freehold.run": version.run, "freehold.package": version.package},
    )
    return mirror(site, version, spec, run)


def mirror(site: Site, version: ModelVersion, spec: TrackingSpec, run: TrackedRun) -> list[str]:
    """Hand a run to the project's tracker and record what came of it, whatever that was."""
    about = {"model": version.model, "version": version.version}
    cause = (version.registered,)
    try:
        if rule := _barred(site, version, spec):
            raise PolicyDenied(
                f"{version.name} may not go to the tracker at {spec.location}",
                why=rule,
                hint="`tracking.site` in freehold.yaml says which site the tracker counts as",
                code=BARRED,
            )
        tracker: Tracker = adapters.load("tracker", spec.tracker).open(spec.location, site.folder)
        tracked = tracker.record(run)
    except Exception as error:  # noqa: BLE001 - the boundary: a mirror's fault fails no run
        code = error.code if isinstance(error, FreeholdError) else "tracker.failed"
        site.ledger.append([Draft("tracking.failed", {**about, "code": code}, cause=cause)])
        return [f"not tracked: [{code}] {_told(error)}"]
    body = {**about, "run": tracked.run, "tracked_version": tracked.model_version}
    site.ledger.append([Draft("tracking.recorded", body, cause=cause)])
    return []


def _barred(site: Site, version: ModelVersion, spec: TrackingSpec) -> str:
    """Empty if it may go there, else the rule that forbids it."""
    if spec.site:
        return barred(_labels(site, version), site.project.spec.sites[spec.site])
    if _is_here(spec.location):
        return ""
    return ", ".join(
        f"{name}={value}: the tracker is no site's"
        if value
        else f"{name}: the tracker is no site's"
        for name, value in sorted(_labels(site, version).items())
    )


def _is_here(location: str) -> bool:
    """What is not known to stay on this machine does not: some trackers have services by a mere
    name, such as `databricks`."""
    parts = urlsplit(location)
    if parts.hostname:
        return is_loopback(parts.hostname)
    return not location or parts.scheme in _FILES or (not parts.scheme and "/" in location)


def _labels(site: Site, version: ModelVersion) -> Mapping[str, str]:
    return Labelled(site.state).of([version.package])


def _told(error: Exception) -> str:
    if not isinstance(error, FreeholdError):
        return f"{type(error).__name__}: {error}"
    return f"{error.what}; {error.why}" if error.why else error.what
