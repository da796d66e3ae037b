"""The routing table that a release wants."""

from collections.abc import Mapping

from freehold.delivery.reversal import goes_back
from freehold.delivery.standing import RELEASES, is_revoked, release_key
from freehold.domain.projection import State
from freehold.domain.release import Release
from freehold.domain.routing import RoutingTable, Shadow, Variant


def traffic(
    release: Release, version: int, digests: Mapping[int, str], site: str = "", now: int = 0
) -> RoutingTable | None:
    """Table number `version` for a release as it stands at a site; `digests` by model version.

    While it runs, the champion stands beside it, and scores its rows too, even at 100 percent.
    Sites that a release region after region has not reached serve as before; those that it has
    passed keep its version until it is their turn to go back (`now`: microseconds since 1970 UTC).
    Where both are the same package, there is nothing to compare, and one folder and one admission
    for it: the newer version has all traffic. None when it was rolled back and there is nothing to
    go back to.
    """
    before = release.previous
    beside = before is not None and digests[before] != digests[release.version]
    back = release.status == "rolled-back" and goes_back(release, site, now)
    stands = release.status != "completed" and not back and release.reaches(site)
    if stands and before is not None and beside:
        share = weight_at(release, site)
        return RoutingTable(
            version=version,
            model=release.model,
            salt=release.id,
            variants=(
                _variant(before, 100.0 - share, "champion", digests),
                _variant(release.version, share, "challenger", digests),
            ),
            reference=before,
            shadow=Shadow(release.version, release.settings.shadow.share)
            if release.is_shadow and not release.has_passed(site)
            else None,
        )
    unreached = release.status == "running" and not release.reaches(site)
    champion = before if release.status == "rolled-back" or unreached else release.version
    if champion is None:
        return None
    only = (_variant(champion, 100.0, "champion", digests),)
    return RoutingTable(version, release.model, release.id, only)


def weight_at(release: Release, site: str) -> float:
    """Percent of a site's traffic that the version gets while it stands there."""
    if not release.is_staged:
        return float(release.weight)
    if release.strategy == "rolling" or release.has_passed(site):
        return 100.0 if release.reaches(site) else 0.0
    return float(release.weight) if release.reaches(site) else 0.0


def must_leave(state: State, table: RoutingTable) -> bool:
    """Whether a table that serves names a version that was revoked, or that the release which made
    the table brought and that was rolled back."""
    row = state.get(RELEASES, release_key(table.salt))
    back = row["version"] if row is not None and row["status"] == "rolled-back" else None
    return any(
        variant.version == back or is_revoked(state, table.model, variant.version)
        for variant in table.variants
    )


def _variant(version: int, weight: float, alias: str, digests: Mapping[int, str]) -> Variant:
    return Variant(version, digests[version], weight, alias)
