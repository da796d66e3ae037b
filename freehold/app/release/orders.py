"""`freehold release pause|resume|promote|abort`: what a person says to a running release."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from freehold.app.release.freezing import require_no_freeze
from freehold.app.release.observations import observations
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import Site
from freehold.delivery import orders
from freehold.delivery.decision import Complete, Promote, Rollback, breach
from freehold.delivery.releases import conclude, release_of, releases_of, running_release
from freehold.domain.errors import Conflict, NotFound
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.domain.release import Release


@dataclass(frozen=True)
class Promotion:
    """What a person's word would do, as the release stood when it was asked for."""

    release: Release
    decision: Promote | Complete

    @property
    def is_last(self) -> bool:
        """Whether the version becomes the champion by it."""
        return isinstance(self.decision, Complete)

    @property
    def weight(self) -> int:
        """Percent that the version gets then."""
        return self.decision.weight if isinstance(self.decision, Promote) else 100


def pause(site: Site, model: str, reason: str = "") -> Release:
    """It stays where it is, and is looked at as before; what must go back still does.

    Of no effect if it is paused. Raises NotFound, Conflict.
    """
    return _say(site, running(site, model), orders.pause, reason)


def resume(site: Site, model: str, reason: str = "") -> Release:
    """The loop decides again. Of no effect if it is not paused. Raises NotFound, Conflict."""
    return _say(site, running(site, model), orders.resume, reason)


def plan_promotion(
    site: Site, model: str, full: bool = False, despite_freeze: bool = False
) -> Promotion:
    """To the next step, or to all traffic for good.

    Raises NotFound, Conflict: `release.frozen`, and `release.crossed` where a guardrail is crossed,
    which no person overrules.
    """
    release = running(site, model)
    if not despite_freeze:
        require_no_freeze(site, model)
    crossed = breach(release, *observations(site, release))
    if crossed is not None:
        raise Conflict(
            f"release {release.id} has to go back",
            why=f"{crossed.guardrail} is {crossed.value:.3g}, its limit {crossed.limit:.3g}",
            hint=f"freehold release abort {model}; the loop does so at its next turn",
            code="release.crossed",
        )
    if full or release.step + 1 == len(release.steps):
        return Promotion(release, Complete())
    return Promotion(release, Promote(release.steps[release.step + 1]))


def promote(site: Site, plan: Promotion, reason: str = "") -> Release:
    """Carry it out. Raises Conflict `release.finished` if the release has moved meanwhile."""
    kept = _kept(site, reason)
    release = plan.release

    def decision(state: State) -> Sequence[Draft]:
        return conclude(state, release, plan.decision, 0, (release.fact,), kept)

    return _decided(site, release, decision)


def roll_back(site: Site, model: str, reason: str = "") -> Release:
    """A person's word: the running release of a model goes back at once.

    Of no effect if a person's word took the latest one back. Raises NotFound.
    """
    latest = list(releases_of(site.state, model, site.name))[-1:]
    if latest and (latest[0].status, latest[0].guardrail) == ("rolled-back", "person"):
        return latest[0]
    release = running(site, model)
    kept = _kept(site, reason)

    def decision(state: State) -> Sequence[Draft]:
        word = Rollback("person", 0.0, 0.0)
        return conclude(state, release, word, 0, (release.fact,), kept)

    return _decided(site, release, decision)


def running(site: Site, model: str) -> Release:
    """The release of a model that runs here. Raises NotFound `release.not-found`."""
    found = running_release(site.state, model, site.name)
    if found is None:
        raise NotFound(
            f"no release of {model} is running",
            why="the last one has ended"
            if any(releases_of(site.state, model))
            else "there was none",
            hint="`freehold status` shows what serves",
            code="release.not-found",
        )
    return found


Said = Callable[[State, str, str], Sequence[Draft]]


def _say(site: Site, release: Release, said: Said, reason: str) -> Release:
    kept = _kept(site, reason)
    return _decided(site, release, lambda state: said(state, release.id, kept))


def _decided(site: Site, release: Release, decision: Callable[[State], Sequence[Draft]]) -> Release:
    """Facts with the person's name, then the table that follows from them."""

    def named(state: Any) -> list[Draft]:
        return [replace(draft, actor=site.actor) for draft in decision(state)]

    site.ledger.decide(named)
    publish(site, release.model)
    return release_of(site.state, release.id)


def _kept(site: Site, reason: str) -> str:
    """Words are kept beside the history, so that they can be erased."""
    return site.attachments.put(reason.encode()) if reason else ""
