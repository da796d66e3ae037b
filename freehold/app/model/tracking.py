"""Mirrors a version into the project's tracker. A tracker that fails never fails a run."""

from collections.abc import Mapping

from freehold.app import adapters
from freehold.app.model.candidate import TrainedModel
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.domain.errors import AdapterFailed
from freehold.domain.evidence import Evidence
from freehold.domain.fact import Draft
from freehold.domain.package import CARD, CARD_PAGE
from freehold.ports.tracker import TrackedRun, Tracker


def track(
    site: Site,
    version: ModelVersion,
    trained: TrainedModel,
    evidence: Evidence,
    documents: Mapping[str, bytes],
    package: Mapping[str, bytes],
) -> list[str]:
    """Returns warnings; a failure is recorded in the ledger by its code."""
    spec = site.project.spec.tracking
    if spec is None:
        return []
    location = spec.location or f"sqlite:///{site.folder / spec.tracker}.db"
    try:
        tracker: Tracker = adapters.load("tracker", spec.tracker)(
            location, site.folder / "tracking"
        )
        tracked = tracker.record(
            TrackedRun(
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
        )
    except AdapterFailed as error:
        body = {"model": version.model, "version": version.version, "code": error.code}
        site.ledger.append([Draft("tracking.failed", body, cause=(version.registered,))])
        return [f"not tracked: {error.what}; {error.why}"]
    body = {
        "model": version.model,
        "version": version.version,
        "run": tracked.run,
        "tracked_version": tracked.model_version,
    }
    site.ledger.append([Draft("tracking.recorded", body, cause=(version.registered,))])
    return []
