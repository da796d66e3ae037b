"""`freehold fetch`: have a version, what a run made, or one artifact here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from freehold.app.model.naming import resolve
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.app.site.wanted import is_here
from freehold.domain.errors import NotFound, PolicyDenied, WrongUsage
from freehold.domain.fact import Draft
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
    digests, labelled = _named(site, name), Labelled(site.state)
    spec = site.project.spec.sites[site.name]
    if rule := next(filter(None, (labelled.barred(one, spec) for one in sorted(digests))), ""):
        raise PolicyDenied(
            f"{name} may not come to {site.name}",
            why=rule,
            hint="work where it is: `freehold run --at SITE`; or change what the site accepts",
            code="label.barred",
        )
    here = {one for one in digests if is_here(site, one)}
    return PlannedFetch(
        name, labelled.of(digests), tuple(sorted(here)), tuple(sorted(digests - here))
    )


def fetch(site: Site, planned: PlannedFetch) -> None:
    """Ask for it. It comes once a site that has it has met a store, and this one after it."""
    body = {"site": site.name, "digests": list(planned.lacking)}
    site.ledger.append([Draft("artifact.wanted", body, actor=site.actor)])


def _named(site: Site, name: str) -> set[str]:
    """Digests."""
    if "@" in name:
        version = resolve(site, name)
        return {version.package, *version.attestations.values()}
    made = _made(steps_of(site.state, name).values())
    if not made and name in _made(row for _, row in site.state.scan("steps")):
        made = {name}
    if not made:
        raise NotFound(
            f"nothing is called {name}",
            why="no version, no run and no artifact of a run that is known here",
            hint="`freehold sync` brings what others know; `freehold models` and `freehold runs`"
            " list",
            code="artifact.unknown",
        )
    return made


def _made(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Digests of what these steps made."""
    return {one["digest"] for row in rows for one in row.get("outputs", ())}
