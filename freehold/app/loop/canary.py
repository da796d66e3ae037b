"""Moves a running release by what was seen of it since its steps began."""

from dataclasses import dataclass, replace

from freehold.app.release import witnesses
from freehold.app.release.freezing import freeze_of
from freehold.app.release.observations import observations
from freehold.app.release.serving_folder import publish, table_in_force
from freehold.app.site.opening import Site
from freehold.catalog.endpoint_events import loaded_number
from freehold.delivery import releases
from freehold.delivery.analysis import TOLD, analysed, is_due, recorded_hold
from freehold.delivery.decision import (
    UPWARDS,
    Decide,
    Decision,
    Hold,
    Ready,
    Reweigh,
    Rollback,
    advance,
    ready,
    restrained,
)
from freehold.delivery.observation import Observation
from freehold.delivery.releases import conclude, release_of, releases_of, running_release
from freehold.delivery.witnesses import Witness
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.domain.release import Release


@dataclass(frozen=True)
class Move:
    """What became of a release at one look."""

    release: Release
    decision: Decision | Ready
    observation: Observation
    """Since the running step began."""
    is_news: bool = True
    """Whether people are told."""
    witnesses: tuple[Witness, ...] = ()
    """Requests that a rollback rests on, where single ones speak for it."""


def move_release(site: Site, model: str) -> Move | None:
    """Promote, complete or roll back the running release of a model; None if there is none."""
    release = running_release(site.state, model, site.name)
    if release is None:
        return None
    seen = observations(site, release)
    said = _vouch(site, release, seen)
    release = release_of(site.state, release.id)
    wanted = advance(release, *seen, now=site.clock())
    decision = _restrained(site, release, wanted, seen[0])
    if release.lead != site.name and not isinstance(decision, Rollback):
        # Its lead decides on its steps; any may stop it.
        _hold(site, release, Hold("lead", seen[0].rows, 0, release.lead), seen)
        return said
    move = Move(release, decision, seen[0])
    found = analysed(release, decision, seen, site.name)
    if isinstance(decision, Hold):
        return replace(move, is_news=_hold(site, release, decision, seen))

    found_by = witnesses.find(site, release, decision) if isinstance(decision, Rollback) else ()
    kept = witnesses.keep(site, found_by)

    # A finished step's end is caused by the step's beginning.
    def conclusion(state: State) -> list[Draft]:
        cause = (release.fact, "+0")
        drafts = conclude(state, release, decision, seen[0].rows, cause, witnesses=kept)
        whole = [replace(draft, cause=draft.cause or (release.fact,)) for draft in drafts]
        return [found, *whole] if whole else []

    try:
        site.ledger.decide(conclusion)
    except Conflict as moved:
        # A person was quicker; what they decided stands.
        if moved.code != "release.finished":
            raise
        return None
    publish(site, model)
    return replace(move, witnesses=found_by)


def confirm_back(site: Site, model: str) -> bool:
    """Say, once, that a release region after region which was rolled back is out of this site's
    traffic: older ones wait for it. Returns whether it was said now."""
    latest = list(releases_of(site.state, model, site.name))[-1:]
    if not latest or not latest[0].is_staged or latest[0].status != "rolled-back":
        return False
    release, table = latest[0], table_in_force(site)
    if table is not None and any(one.version == release.version for one in table.variants):
        return False
    if not release.reaches(site.name) or site.name in release.gone_back:
        return False
    return bool(site.ledger.decide(lambda state: releases.confirm_back(state, release, site.name)))


def _vouch(site: Site, release: Release, seen: list[Observation]) -> Move | None:
    """Give this site's word on the running step, with what it rests on, where it is needed."""
    word = ready(release, site.name, *seen, now=site.clock(), loaded=_is_loaded(site, release))
    if word is None:
        return None
    found = analysed(release, word, seen, site.name)

    def decision(state: State) -> list[Draft]:
        drafts = releases.vouch(state, release, word, seen[0].rows)
        whole = [replace(draft, cause=(*draft.cause, "+0")) for draft in drafts]
        return [found, *whole] if whole else []

    return Move(release, word, seen[0]) if site.ledger.decide(decision) else None


def _is_loaded(site: Site, release: Release) -> bool:
    """Whether an endpoint here has verified and loaded the table in force, and it is the
    release's."""
    table = table_in_force(site)
    if table is None or table.salt != release.id:
        return False
    stands = any(one.version == release.version for one in table.variants)
    return stands and loaded_number(site.state, site.name, release.model) >= table.version


def _restrained(site: Site, release: Release, wanted: Decision, seen: Observation) -> Decision:
    """Whether all are frozen is asked only where it matters."""
    if not isinstance(wanted, UPWARDS):
        return wanted
    frozen = None if release.paused else freeze_of(site, release.model)
    return restrained(release, wanted, seen, frozen.code if frozen else "")


def _hold(site: Site, release: Release, decision: Hold, seen: list[Observation]) -> bool:
    """Record the look, if it tells something new. Returns whether people are told."""
    found = analysed(release, decision, seen, site.name)
    known = recorded_hold(site.state, release, site.name)
    if is_due(site.state, found, site.name, site.clock()):
        site.ledger.decide(
            lambda state: [found] if is_due(state, found, site.name, site.clock()) else []
        )
    return decision.reason in TOLD and known != found.body["decision"]


def spoken(move: Move) -> str:
    """One line for people."""
    name = f"{move.release.model}@{move.release.version}"
    decision, seen = move.decision, move.observation
    if isinstance(decision, Ready):
        return f"{name} is ready at {decision.site}, after {seen.rows} rows"
    if isinstance(decision, Decide):
        return _result(name, decision)
    if isinstance(decision, Reweigh):
        was = move.release.weight
        return f"{name} goes from {was} % to {decision.weight} % by what was earned"
    if isinstance(decision, Hold):
        have, need = decision.have, decision.need
        if decision.reason == "sample-ratio":
            went = f"{have:,} ids went to it instead of some {need:,}"
            return f"{name} stays at {move.release.weight} %: {went}, so nothing can be compared"
        if decision.reason in ("paused", "frozen"):
            why = decision.detail.replace(":", " by ") or decision.reason
            return f"{name} stays at {move.release.weight} %: {why}, after {have} rows"
        return f"{name} stays at {move.release.weight} %: {have} of {need} rows"
    if isinstance(decision, Rollback) and decision.guardrail == "trial":
        return f"{name} rolled back: the champion is better"
    if isinstance(decision, Rollback):
        figures = f"{decision.value:.3g} over {decision.limit:.3g}, {seen.rows} rows"
        such = f"; {move.witnesses[0].sentence}" if move.witnesses else ""
        return f"{name} rolled back: {decision.guardrail} {figures}{such}"
    weight = getattr(decision, "weight", None)
    if weight is None:
        return f"{name} is the champion, after {seen.rows} rows at {move.release.weight} %"
    return f"{name} goes to {weight} %, after {seen.rows} rows at {move.release.weight} %"


def _result(name: str, told: Decide) -> str:
    effect = told.effect
    if effect.value is None:
        return f"{name}: the trial is undecided, too little is known of {told.metric}"
    bounds = f"{effect.value:+.3g} ({effect.low:+.3g} to {effect.high:+.3g}), {effect.count:,} rows"
    apart = "cannot be told from the champion"
    words = {"version": "is better", "champion": "is worse", "none": apart}
    return f"{name} {words[told.winner]}: {told.metric} {bounds}"
