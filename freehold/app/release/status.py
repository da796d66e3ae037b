"""`freehold release status`: where a release stands, what is seen of it, and what holds it."""

from typing import Any

from freehold.app.release import witnesses
from freehold.app.release.freezing import freeze_of
from freehold.app.release.observations import observations
from freehold.app.site.opening import Site
from freehold.delivery.analysis import recorded_hold
from freehold.delivery.decision import (
    Complete,
    Decide,
    Decision,
    Hold,
    Promote,
    Reweigh,
    Rollback,
    advance,
    breach,
)
from freehold.delivery.figures import figures
from freehold.delivery.observation import Observation
from freehold.delivery.releases import releases_of
from freehold.delivery.witnesses import Witness
from freehold.domain.errors import NotFound
from freehold.domain.release import Release


def release_status(site: Site, model: str = "") -> dict[str, Any]:
    """JSON: the latest release of each model here, or of the one that is named. Raises NotFound."""
    models = [model] if model else list(site.project.spec.models)
    found = [one for name in models for one in list(releases_of(site.state, name, site.name))[-1:]]
    if model and not found:
        raise NotFound(
            f"there was no release of {model} at {site.name}",
            why=f"models: {', '.join(site.project.spec.models) or 'none'}",
            hint="`freehold models` lists versions; `freehold release MODEL@VERSION` begins one",
            code="release.not-found",
        )
    return {"shape": 1, "site": site.name, "releases": [_told(site, one) for one in found]}


def held(site: Site, release: Release) -> str:
    """Why a running release does not go on, whatever is seen of it: `paused`, `frozen:…`,
    `sample-ratio`; empty otherwise."""
    if release.paused:
        return "paused"
    if recorded_hold(site.state, release, release.lead) == "sample-ratio":
        return "sample-ratio"
    frozen = freeze_of(site, release.model)
    return frozen.code if frozen else ""


def _told(site: Site, release: Release) -> dict[str, Any]:
    running = release.status == "running"
    seen = observations(site, release) if running else []
    frozen = freeze_of(site, release.model) if running else None
    return {
        "release": release.id,
        "model": release.model,
        "version": release.version,
        "champion": release.previous,
        "strategy": release.strategy,
        "status": release.status,
        "guardrail": release.guardrail,
        "step": release.step,
        "steps": list(release.steps),
        "stage": release.stage,
        "weight": release.weight,
        "sites": list(release.sites),
        "driver": release.lead,
        "held": held(site, release) if running else "",
        "frozen": frozen.as_json() if frozen else None,
        "looks": [_look(release, since, one) for since, one in _since(site, release, seen)],
        "next": _named(advance(release, *seen, now=site.clock())) if seen else "",
        "batches": [list(batch) for batch in release.batches],
        "ready": [name for name in release.awaited if name not in release.unready],
        "unready": list(release.unready),
        "trial": _trial(release, seen),
        "gone_back": list(release.gone_back),
        "witnesses": [
            {**one.as_json(), "told": one.sentence} for one in _witnesses(site, release, seen)
        ],
        "minimum_rows": release.settings.minimum_rows,
    }


def _witnesses(site: Site, release: Release, seen: list[Observation]) -> tuple[Witness, ...]:
    """Of what took it back, or is about to."""
    if release.status == "rolled-back":
        return witnesses.told(site, release)
    crossed = breach(release, *seen) if seen else None
    return () if crossed is None else witnesses.find(site, release, crossed)


def _trial(release: Release, seen: list[Observation]) -> dict[str, Any] | None:
    """Of a trial: what is known of its metric now, what was told, how often shares changed."""
    if release.trial is None:
        return None
    found = seen[0].effect if seen else None
    arms = seen[0].arms if seen else None
    return {
        "metric": release.trial.metric,
        "effect": found.as_json() if found else None,
        "arms": [{"rows": one.rows, "mean": one.mean} for one in arms or ()],
        "looks": release.look,
        "winner": release.winner,
    }


def _since(site: Site, release: Release, seen: list[Observation]) -> list[tuple[int, Observation]]:
    return list(zip(reversed(release.begun_at(site.name)), seen, strict=True)) if seen else []


def _look(release: Release, since: int, seen: Observation) -> dict[str, Any]:
    return {
        "since": since,
        "rows": seen.rows,
        "errors": seen.errors,
        "figures": [one.as_json() for one in figures(release.settings, seen)],
    }


def _named(decision: Decision) -> str:
    """What the loop would do at its next turn, were nothing held."""
    match decision:
        case Hold():
            return f"wait:{decision.reason}:{decision.have}:{decision.need}"
        case Promote():
            return f"promote:{decision.weight}"
        case Complete():
            return "complete"
        case Decide():
            return "decide"
        case Reweigh():
            return f"weigh:{decision.weight}"
        case Rollback():
            return f"roll-back:{decision.guardrail}"
