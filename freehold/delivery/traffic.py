"""The routing table that a release wants."""

from collections.abc import Mapping

from freehold.delivery.standing import RELEASES, is_revoked, release_key
from freehold.domain.projection import State
from freehold.domain.release import Release
from freehold.domain.routing import RoutingTable, Variant


def traffic(release: Release, version: int, digests: Mapping[int, str]) -> RoutingTable | None:
    """Table number `version` for a release as it stands; `digests` by model version.

    While it runs, the champion stands beside it, and scores its rows too, even at 100 percent.
    Where both are the same package, there is nothing to compare, and one folder and one admission
    for it: the newer version has all traffic. None when it was rolled back and there is nothing to
    go back to.
    """
    before = release.previous
    beside = before is not None and digests[before] != digests[release.version]
    if release.status == "running" and before is not None and beside:
        return RoutingTable(
            version=version,
            model=release.model,
            salt=release.id,
            variants=(
                _variant(before, 100.0 - release.weight, "champion", digests),
                _variant(release.version, float(release.weight), "challenger", digests),
            ),
            reference=before,
        )
    champion = before if release.status == "rolled-back" else release.version
    if champion is None:
        return None
    only = (_variant(champion, 100.0, "champion", digests),)
    return RoutingTable(version, release.model, release.id, only)


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
