"""Whether a version may come to sites, by the labels of what made it."""

from collections.abc import Sequence

from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.app.site.ways import no_way
from freehold.catalog.versions import ModelVersion
from freehold.domain.errors import Fault, PolicyDenied
from freehold.domain.fact import site_of
from freehold.replication.travel import barred


def require_sites_allow(site: Site, version: ModelVersion, names: Sequence[str]) -> None:
    """As known here: that they may have it, and that a store may carry it to them. What nobody here
    knows the making of is no fault yet: it goes nowhere.

    Raises PolicyDenied `label.barred` with every site that may not have it.
    """
    sites = site.project.spec.sites
    named = [name for name in names if name in sites]
    if not named:
        return
    labels = Labelled(site.state).of({version.package, *version.attestations.values()})
    origins = {site_of(version.registered.rpartition("/")[0]), site.name} & sites.keys()

    def rule(name: str) -> str:
        # Where it lies nowhere that the project names, it may come all the same.
        return barred(labels, sites[name]) or (
            no_way(labels, sorted(origins), name, sites) if origins else ""
        )

    faults = [Fault("label.barred", said, name) for name in named if (said := rule(name))]
    if faults:
        raise PolicyDenied(
            f"{version.name} may not come to {', '.join(fault.where for fault in faults)}",
            why="what it was made from bears labels that they may not have",
            hint="name sites that may have it, or change what these accept in freehold.yaml",
            code="label.barred",
            faults=faults,
        )
