"""`freehold models`: every version, what it was found to be, and where it stands."""

from datetime import UTC, datetime
from typing import Any

from freehold.app.model.naming import require_model
from freehold.app.site.opening import Site
from freehold.catalog.versions import versions_of
from freehold.delivery.releases import aliases_of, releases_of, running_release
from freehold.domain.release import Release


def models(site: Site, model: str = "") -> list[dict[str, Any]]:
    """One row a version, oldest first. Raises NotFound `model.not-found` for an unknown name."""
    state = site.state
    if model:
        require_model(site, model)
    aliases: dict[tuple[str, int], list[str]] = {}
    traffic: dict[tuple[str, int], int] = {}
    for name in {version.model for version in versions_of(state, model)}:
        for alias, number in aliases_of(state, name).items():
            aliases.setdefault((name, number), []).append(alias)
        release = running_release(state, name, site.name)
        champion = aliases_of(state, name).get("champion")
        if champion is not None:
            traffic[name, champion] = 100 - (release.weight if release else 0)
        if release is not None:
            traffic[name, release.version] = release.weight
    releases = {(one.model, one.version): one for one in releases_of(state, model)}
    return [
        {
            "model": version.model,
            "version": version.version,
            "aliases": sorted(aliases.get((version.model, version.version), [])),
            "release": _standing(releases.get((version.model, version.version))),
            "traffic": traffic.get((version.model, version.version), 0),
            "allowed": version.allowed,
            "denied_by": list(version.denials),
            "headline": dict(version.headline),
            "package": version.package,
            "run": version.run,
            "at": datetime.fromtimestamp(version.wall / 1e6, UTC).isoformat(timespec="seconds"),
            "by": site.people.name_of(version.actor),
            "fact": version.registered,
        }
        for version in versions_of(state, model)
    ]


def _standing(release: Release | None) -> str:
    """`none`, `running`, `completed`, or `rolled-back`: of a version's last release."""
    return "none" if release is None else release.status
