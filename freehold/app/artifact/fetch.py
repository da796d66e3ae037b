"""`freehold fetch`: have a version, what a run made, or one artifact here."""

from collections.abc import Mapping
from dataclasses import dataclass

from freehold.app.model.naming import resolve
from freehold.app.site.opening import Site
from freehold.app.site.wanted import run_labels
from freehold.domain.artifact import Artifact, object_key
from freehold.domain.errors import NotFound, PolicyDenied, WrongUsage
from freehold.domain.fact import Draft
from freehold.replication.travel import barred
from freehold.running.projection import steps_of


@dataclass(frozen=True)
class PlannedFetch:
    name: str
    labels: Mapping[str, str]
    here: tuple[str, ...]
    """Digests that are here already."""
    lacking: tuple[str, ...]


def plan_fetch(site: Site, name: str) -> PlannedFetch:
    """`name`: MODEL@VERSION, a run, or the digest of an artifact that a run made.

    Raises NotFound, PolicyDenied `label.barred` where a label forbids that it comes here.
    """
    if site.name not in site.project.spec.sites:
        raise WrongUsage(
            "this project has one site: everything is here already",
            why="freehold.yaml has no `sites`",
            hint="`freehold runs` and `freehold models` show what there is",
            code="site.none",
        )
    digests, labels = _named(site, name)
    rule = barred(labels, site.project.spec.sites[site.name])
    if rule:
        raise PolicyDenied(
            f"{name} may not come to {site.name}",
            why=rule,
            hint="work where it is: `freehold run --at SITE`; or change what the site accepts",
            code="label.barred",
        )
    here = {one for one in digests if site.objects.size(object_key(one)) is not None}
    return PlannedFetch(name, labels, tuple(sorted(here)), tuple(sorted(digests - here)))


def fetch(site: Site, planned: PlannedFetch) -> None:
    """Ask for it. It comes once a site that has it has met a store, and this one after it."""
    body = {"site": site.name, "digests": list(planned.lacking)}
    site.ledger.append([Draft("artifact.wanted", body, actor=site.actor)])


def _named(site: Site, name: str) -> tuple[set[str], dict[str, str]]:
    if "@" in name:
        version = resolve(site, name)
        digests = {version.package, *version.attestations.values()}
        return digests, run_labels(site.state, version.run)
    rows = steps_of(site.state, name)
    made = [Artifact.from_json(one) for row in rows.values() for one in row.get("outputs", ())]
    if not made:
        rows = dict(site.state.scan("steps"))
        every = (Artifact.from_json(one) for r in rows.values() for one in r.get("outputs", ()))
        made = [one for one in every if one.digest == name]
    if not made:
        raise NotFound(
            f"nothing is called {name}",
            why="no version, no run and no artifact of a run that is known here",
            hint="`freehold sync` brings what others know; `freehold models` and `freehold runs`"
            " list",
            code="artifact.unknown",
        )
    labels: dict[str, str] = {}
    for one in made:
        labels.update(one.labels)
    return {one.digest for one in made}, labels
