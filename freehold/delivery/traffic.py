"""The routing table that a release wants."""

from collections.abc import Mapping

from freehold.domain.release import Release
from freehold.domain.routing import RoutingTable, Variant


def traffic(release: Release, version: int, digests: Mapping[int, str]) -> RoutingTable | None:
    """Table number `version` for a release as it stands; `digests` by model version.

    While it runs, the champion stands beside it, and scores its rows too, even at 100 percent.
    None when it was rolled back and there is nothing to go back to.
    """
    if release.status == "running" and release.previous is not None:
        return RoutingTable(
            version=version,
            model=release.model,
            salt=release.id,
            variants=(
                _variant(release.previous, 100.0 - release.weight, "champion", digests),
                _variant(release.version, float(release.weight), "challenger", digests),
            ),
            reference=release.previous,
        )
    champion = release.previous if release.status == "rolled-back" else release.version
    if champion is None:
        return None
    only = (_variant(champion, 100.0, "champion", digests),)
    return RoutingTable(version, release.model, release.id, only)


def _variant(version: int, weight: float, alias: str, digests: Mapping[int, str]) -> Variant:
    return Variant(version, digests[version], weight, alias)
