"""The record of a look at a release: what was seen since which moment, how sure it is, what
follows."""

from collections.abc import Sequence
from typing import Any

from freehold.delivery.decision import (
    Complete,
    Decide,
    Decision,
    Hold,
    Promote,
    Ready,
    Reweigh,
    Rollback,
)
from freehold.delivery.figures import figures
from freehold.delivery.observation import Assignment, Observation
from freehold.delivery.standing import ANALYSES, release_key
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.domain.release import Release


def analysed(
    release: Release, decision: Decision | Ready, seen: Sequence[Observation], site: str = ""
) -> Draft:
    """A fact of what a decision rests on; `seen` at the site is since each step began from which on
    it looks (`Release.begun_at`), the running one first."""
    looks = [
        {
            "figures": [one.as_json() for one in figures(release.settings, each)],
            "rows": each.rows,
            "since": since,
        }
        for since, each in zip(reversed(release.begun_at(site)), seen, strict=True)
    ]
    body = {
        "release": release.id,
        "model": release.model,
        "version": release.version,
        "step": release.step,
        "decision": _named(decision),
        "rows": seen[0].rows,
        "errors": seen[0].errors,
        "risk": release.risk,
        "looks": looks,
        "assignment": _assignment(seen[0].assignment),
    }
    return Draft("release.analysed", body, cause=(release.fact,))


def recorded_hold(state: State, release: Release) -> str:
    """Why the running step did not go on when that was last recorded; empty if it never was."""
    row = state.get(ANALYSES, release_key(release.id))
    return str(row["decision"]) if row is not None and row["step"] == release.step else ""


def held_by_ratio(state: State, release: Release) -> bool:
    """Whether it was recorded that the running step does not go on for its ids' shares."""
    return recorded_hold(state, release) == "sample-ratio"


def _named(decision: Decision | Ready) -> str:
    match decision:
        case Hold():
            frozen = decision.reason == "frozen"
            return decision.detail if frozen else decision.reason
        case Ready():
            return "ready"
        case Decide():
            return "decide"
        case Reweigh():
            return "weigh"
        case Promote():
            return "promote"
        case Complete():
            return "complete"
        case Rollback():
            return decision.guardrail


def _assignment(found: Assignment | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "canary": found.canary,
        "evidence": found.evidence,
        "ids": found.ids,
        "share": found.share,
    }
