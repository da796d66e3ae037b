"""`freehold conflicts`: what holds, what it holds against, and a person's word on it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import Site
from freehold.catalog.versions import version_of, versions_of
from freehold.delivery.releases import Venue, aliases_of, start
from freehold.domain.errors import Conflict, Refused, WrongUsage
from freehold.domain.fact import Draft, site_of
from freehold.domain.projection import State
from freehold.replication.claims import Quarrel, conflict_of, conflicts_of, settle


@dataclass(frozen=True)
class ShownConflict:
    quarrel: Quarrel
    holds: str
    """What stands now."""

    def as_json(self) -> dict[str, Any]:
        sides = [
            {**side.as_json(), "site": site_of(side.fact.rpartition("/")[0])}
            for side in self.quarrel.sides
        ]
        standing = "open" if self.quarrel.open else "settled"
        return {
            **self.quarrel.as_json(),
            "sides": sides,
            "holds": self.holds,
            "standing": standing,
        }


def conflicts(site: Site, every: bool = False) -> list[ShownConflict]:
    """Open ones, or all."""
    return list(_shown(site, every))


def find_conflict(site: Site, name: str) -> ShownConflict:
    """Raises NotFound."""
    quarrel = conflict_of(site.state, name)
    return ShownConflict(quarrel, _holding(site.state, quarrel))


def _shown(site: Site, every: bool) -> Iterator[ShownConflict]:
    for quarrel in conflicts_of(site.state):
        if every or quarrel.open:
            yield ShownConflict(quarrel, _holding(site.state, quarrel))


def _holding(state: State, quarrel: Quarrel) -> str:
    if quarrel.kind == "alias":
        model, _, alias = quarrel.about.rpartition("/")
        version = aliases_of(state, model).get(alias)
        return "none" if version is None else f"@{version}"
    if quarrel.kind == "traffic":
        # A rollback or a revocation beats a promotion that had not seen it.
        stops = [side.value for side in quarrel.sides if side.value != "promoted"]
        return "revoked" if "revoked" in stops else stops[-1]
    if quarrel.kind == "verdict":
        model, _, _ = quarrel.about.rpartition("@")
        judged = (one.allowed for one in versions_of(state, model) if one.name == quarrel.about)
        return "allowed" if next(judged, False) else "denied"
    return quarrel.sides[0].value


def settle_conflict(site: Site, name: str, keep: int | None = None) -> ShownConflict:
    """End a conflict: with what holds, or, of an alias, with another version.

    `keep`: a version of the model, approved by policy; it becomes the champion and is released, at
    once, at every site that serves the model. Raises NotFound, Conflict `conflict.settled`,
    WrongUsage, Refused.
    """
    quarrel = _open_conflict(site.state, name)
    model = quarrel.about.rpartition("/")[0]
    if keep is not None and (quarrel.kind, quarrel.about) != ("alias", f"{model}/champion"):
        raise WrongUsage(
            f"--keep names a version, and conflict {name} is not about a champion",
            why=f"it is about {quarrel.about}",
            hint=f"`freehold conflicts settle {name}` settles it with what holds",
            code="usage.keep",
        )
    if keep is not None and not version_of(site.state, model, keep).allowed:
        raise Refused(
            f"policy does not allow {model}@{keep} into traffic",
            why="its verdict does not allow it, or no policy was asked",
            hint=f"keep another version: `freehold models {model}` lists them",
            code="policy.denied",
        )
    site.ledger.decide(lambda state: _settlement(site, state, name, model, keep))
    if keep is not None:
        publish(site, model)
    return find_conflict(site, name)


def _open_conflict(state: State, name: str) -> Quarrel:
    """Raises NotFound, Conflict `conflict.settled`."""
    quarrel = conflict_of(state, name)
    if not quarrel.open:
        raise Conflict(
            f"conflict {name} is settled already",
            why=f"by {quarrel.settled}",
            hint="`freehold conflicts` lists those that are open",
            code="conflict.settled",
        )
    return quarrel


def _settlement(site: Site, state: State, name: str, model: str, keep: int | None) -> list[Draft]:
    """By its standing now: another process may have settled it meanwhile."""
    drafts = [settle(_open_conflict(state, name), site.actor)]
    if keep is not None:
        venue = Venue(site.name, site.project.site_names, site.numbering)
        spec = site.project.spec.release
        begun = start(state, model, keep, "immediate", spec, venue)
        drafts += [
            replace(draft, actor=site.actor, cause=draft.cause or ("+0",)) for draft in begun
        ]
    return drafts
