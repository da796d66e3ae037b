"""`freehold revoke`: a version never goes into traffic again, at any site."""

from dataclasses import replace

from freehold.app.model.naming import resolve
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.delivery.releases import aliases_of, releases_of
from freehold.delivery.releases import revoke as revocation
from freehold.delivery.standing import is_revoked
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft
from freehold.domain.projection import State


def plan_revoke(site: Site, name: str) -> tuple[ModelVersion, tuple[str, ...]]:
    """The version, and the sites whose traffic it is in. Raises NotFound, Conflict."""
    version = resolve(site, name)
    if is_revoked(site.state, version.model, version.version):
        raise Conflict(
            f"{version.name} was revoked already",
            why="a revocation is for good",
            hint="`freehold models` lists the others",
            code="release.revoked",
        )
    places: dict[str, None] = {}
    for release in releases_of(site.state, version.model):
        if release.version == version.version and release.status != "rolled-back":
            places.update(dict.fromkeys(release.sites))
    return version, tuple(places)


def revoke(site: Site, version: ModelVersion) -> int | None:
    """Returns the champion that stands then. Other sites follow with their next exchange."""

    def decision(state: State) -> list[Draft]:
        drafts = revocation(state, version.model, version.version)
        return [replace(draft, actor=site.actor) for draft in drafts]

    site.ledger.decide(decision)
    publish(site, version.model)
    return aliases_of(site.state, version.model).get("champion")
