"""Whether a version may come to places, by the labels of what made it."""

from collections.abc import Sequence

from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.domain.errors import Fault, PolicyDenied
from freehold.replication.travel import barred


def require_places_allow(site: Site, version: ModelVersion, places: Sequence[str]) -> None:
    """As known here. What nobody here knows the making of is no fault yet: it goes nowhere.

    Raises PolicyDenied `label.barred` with every place that may not have it.
    """
    sites = site.project.spec.sites
    named = [place for place in places if place in sites]
    if not named:
        return
    labels = Labelled(site.state).of({version.package, *version.attestations.values()})
    faults = [
        Fault("label.barred", rule, place)
        for place in named
        if (rule := barred(labels, sites[place]))
    ]
    if faults:
        raise PolicyDenied(
            f"{version.name} may not come to {', '.join(fault.where for fault in faults)}",
            why="what it was made from bears labels that they may not have",
            hint="name sites that may have it, or change what these accept in freehold.yaml",
            code="label.barred",
            faults=faults,
        )
