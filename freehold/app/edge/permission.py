"""Whether a version may be bundled for a place: refused before anything is written."""

from collections.abc import Mapping

from freehold.app.edge.wanted import Wanted
from freehold.app.release.release import require_approval
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.domain.errors import IntegrityError, NotFound, PolicyDenied
from freehold.domain.project import StoreSpec
from freehold.replication.travel import barred_from_store


def require_permission(site: Site, version: ModelVersion, wanted: Wanted) -> Mapping[str, str]:
    """The labels that the version bears.

    By the rules of releases and of artifacts that travel. What the bundle's rows say has the
    model's labels: they may go to no store that these labels bar. Raises PolicyDenied
    (`policy.denied`, `label.barred`), NotFound `site.unknown`, IntegrityError `artifact.missing`.
    """
    require_approval(version)
    known, sites = site.project.site_names, site.project.spec.sites
    if wanted.place not in known:
        raise NotFound(
            f"there is no site '{wanted.place}'",
            why=f"the project has {', '.join(known)}",
            hint="name one of these, or add it to `sites` in freehold.yaml",
            code="site.unknown",
        )
    digests = {version.package, *version.attestations.values()}
    labelled = Labelled(site.state)
    labels = labelled.of(digests)
    if wanted.place in sites:
        spec = sites[wanted.place]
        if rule := next(filter(None, (labelled.barred(one, spec) for one in sorted(digests))), ""):
            raise PolicyDenied(
                f"{version.name} may not come to {wanted.place}",
                why=rule,
                hint="bundle it for a place that may have it, or change what the place accepts",
                code="label.barred",
            )
    reports = wanted.reports
    store = StoreSpec(reports.at, reports.endpoint, reports.region)
    if reports.at and (rule := barred_from_store(labels, store, sites)):
        raise PolicyDenied(
            f"what {version.name} is asked at {wanted.place} may not go to {reports.at}",
            why=rule,
            hint="name the store of a site that may have it, or none",
            code="label.barred",
        )
    if not site.artifacts.holds(version.package):
        raise IntegrityError(
            f"the package of {version.name} is not at this site",
            why="another site made it and it has not come here, or it was collected",
            hint="`freehold sync` fetches it if a site still has it; else make the version again",
            code="artifact.missing",
        )
    return labels
