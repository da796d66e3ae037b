"""`freehold release`: move a version into traffic."""

from dataclasses import dataclass, replace
from typing import Any

from freehold.app.model.naming import resolve
from freehold.app.release.freezing import require_no_freeze
from freehold.app.release.labels import require_sites_allow
from freehold.app.release.log_rule import require_log_columns
from freehold.app.release.regions import stages_of
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion, version_of
from freehold.delivery.releases import (
    Venue,
    aliases_of,
    release_of,
    start,
)
from freehold.domain.canonical import digest_of
from freehold.domain.errors import Conflict, IntegrityError, NotFound, PolicyDenied, Refused
from freehold.domain.fact import Draft
from freehold.domain.project import ReleaseSpec
from freehold.domain.projection import State
from freehold.domain.release import Release, Strategy, settings_as_json, steps_of


@dataclass(frozen=True)
class ReleasePlan:
    version: ModelVersion
    champion: int | None
    strategy: Strategy
    settings: ReleaseSpec
    venue: Venue
    release: str
    """Id under which it would begin, which no other release gets: a plan is carried out once."""
    known_sites: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of all that it says: what a person agreed to."""
        return digest_of(self.as_json())

    @property
    def steps(self) -> tuple[int, ...]:
        """Per cent of traffic, step by step."""
        return steps_of(self.strategy, self.settings, self.batches)

    @property
    def batches(self) -> tuple[tuple[str, ...], ...]:
        """Sites that go together, stage by stage."""
        return self.venue.stages or (self.venue.sites,)

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.version.model,
            "version": self.version.version,
            "package": self.version.package,
            "release": self.release,
            "champion": self.champion,
            "strategy": self.strategy,
            "settings": settings_as_json(self.settings, self.strategy),
            "steps": list(self.steps),
            "sites": list(self.venue.sites),
            "stages": [list(batch) for batch in self.venue.stages],
        }


def plan_release(
    site: Site,
    name: str,
    strategy: Strategy = "canary",
    sites: tuple[str, ...] = (),
    *,
    despite_freeze: bool = False,
) -> ReleasePlan:
    """What a release would do, here or at the sites that are named.

    A version whose package is the champion's is released at once: a canary would compare the
    package with itself.

    Raises PolicyDenied for a version that policy did not approve, or that may not come there
    (`label.barred`), and
    Conflict `release.frozen` unless a person goes on all the same.
    """
    version = resolve(site, name)
    require_approval(version)
    if not despite_freeze:
        require_no_freeze(site, version.model)
    require_metric(site.project.spec.release, strategy)
    require_log_columns(site, version.model)
    places = _known_sites(site, sites) or (site.name,)
    if site.name in places:
        _require_package(site, version)
    champion = aliases_of(site.state, version.model).get("champion")
    if champion is None or _has_package_of(site, version, champion):
        strategy = "immediate"
    stages = stages_of(site, version.model, strategy, places)
    reached = tuple(one for stage in stages for one in stage) or places
    require_sites_allow(site, version, reached)
    venue = Venue(site.name, reached, site.numbering, stages)
    # Refused before anybody is asked; the append looks again.
    spec = site.project.spec.release
    begun = start(site.state, version.model, version.version, strategy, spec, venue)
    return ReleasePlan(
        version=version,
        champion=champion,
        strategy=strategy,
        settings=spec,
        venue=venue,
        release=begun[0].body["release"],
        known_sites=site.project.site_names,
    )


def require_metric(settings: ReleaseSpec, strategy: Strategy) -> None:
    """Raises Refused `release.no-metric` where a trial has nothing to go by."""
    trials = {"ab-test": settings.ab_test.metric, "bandit": settings.bandit.metric}
    if trials.get(strategy) == "":
        raise Refused(
            f"a release by {strategy} needs a metric",
            why=f"release.{strategy.replace('-', '_')}.metric is empty in freehold.yaml",
            hint="name one of release.metrics there, and bring its values with `freehold labels`",
            code="release.no-metric",
        )


def _has_package_of(site: Site, version: ModelVersion, champion: int) -> bool:
    return version_of(site.state, version.model, champion).package == version.package


def _require_package(site: Site, version: ModelVersion) -> None:
    """Raises IntegrityError unless the package is here and verifies."""
    if not site.artifacts.holds(version.package):
        raise IntegrityError(
            f"the package of {version.name} is not at this site",
            why="another site made it and it has not come here, or it was collected",
            hint="`freehold sync` fetches it if a site still has it; else make the version again",
            code="artifact.missing",
        )


def _known_sites(site: Site, names: tuple[str, ...]) -> tuple[str, ...]:
    """Raises NotFound for a name that is no site's."""
    known = site.project.site_names
    for name in names:
        if name not in known:
            raise NotFound(
                f"there is no site '{name}'",
                why=f"the project has {', '.join(known)}",
                hint="name one of these, or add it to `sites` in freehold.yaml",
                code="site.unknown",
            )
    return tuple(dict.fromkeys(names))


def require_approval(version: ModelVersion) -> None:
    """Raises PolicyDenied with the rules that said no."""
    if version.allowed:
        return
    denied = version.allowed is False
    raise PolicyDenied(
        f"policy does not allow {version.name} into traffic",
        why=f"denied by {', '.join(version.denials)}" if denied else "no verdict covers it",
        hint=f"`freehold models {version.name}` shows the figures"
        if denied
        else "`freehold run --resume` finishes its registration",
        code="policy.denied",
    )


def release(
    site: Site,
    plan: ReleasePlan,
    cause: tuple[str, ...] = (),
    beside: tuple[Draft, ...] = (),
) -> Release:
    """Begin the release and publish its first table.

    Raises Conflict `release.moved` if it is no longer what the plan says, and whatever else keeps
    it from beginning now.

    `beside`: facts that stand in the log together with the release, or not at all.
    """

    def decision(state: Any) -> list[Draft]:
        version = version_of(state, plan.version.model, plan.version.version)
        require_approval(version)
        drafts = start(
            state, version.model, version.version, plan.strategy, plan.settings, plan.venue
        )
        _require_as_planned(state, plan, drafts[0])
        causes = (version.judged, *cause)
        begun = [replace(draft, actor=site.actor, cause=causes) for draft in drafts]
        return [*begun, *beside]

    entries = site.ledger.decide(decision)
    publish(site, plan.version.model)
    return release_of(site.state, entries[0].fact.body["release"])


def _require_as_planned(state: State, plan: ReleasePlan, begins: Draft) -> None:
    champion = aliases_of(state, plan.version.model).get("champion")
    if (begins.body["release"], champion) != (plan.release, plan.champion):
        raise Conflict(
            f"the world has moved since the release of {plan.version.name} was planned",
            why=f"it would be {begins.body['release']} beside {_champion(champion)}; the plan says"
            f" {plan.release} beside {_champion(plan.champion)}",
            hint="look at it again: `freehold status` shows what serves; then plan anew",
            code="release.moved",
        )


def _champion(version: int | None) -> str:
    return "no champion" if version is None else f"champion @{version}"
