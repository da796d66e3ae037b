"""The record of a look at a release: what was seen since which moment, how sure it is, what
follows.

A look that changes something always leaves one. A loop looks every few seconds, and one at which
the release stays where it is leaves one only if it tells something new (`is_due`): in a step, a
site writes at most as many as figures doubled, holds changed and hours passed.
"""

from collections.abc import Mapping, Sequence
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
from freehold.delivery.standing import ANALYSES, analysis_key
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.domain.release import Release

EVERY = 3_600_000_000
"""Microseconds between two records of looks that hold and that found but a little more."""
TOLD = frozenset({"sample-ratio", "frozen"})
"""Why a release is held that people are told of, once: nobody waits for more rows there."""
QUIET = frozenset({"decided", "finished", "lead", "paused", "person", "rows", "sites", "time"})
"""Decisions of looks at which a release stays as it is and nobody is told."""


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


def is_due(state: State, found: Draft, site: str, now: int) -> bool:
    """Whether a look that holds leaves its record.

    At the first rows of a step; when another thing holds it than before; when its rows, or what any
    figure rests on, are twice what they were when that was last recorded there; and when anything
    else was found, an hour after that record. `now`: microseconds since 1970 UTC.
    """
    body = found.body
    row = state.get(ANALYSES, analysis_key(body["release"], site))
    if row is None or row["step"] != body["step"]:
        return bool(body["rows"]) or body["decision"] not in QUIET
    if row["decision"] != body["decision"] and (body["rows"] or body["decision"] not in QUIET):
        return True
    before, after = _rests_on(row["looks"]), _rests_on(body["looks"])
    if any(count >= max(1, 2 * before.get(one, 0)) for one, count in after.items()):
        return True
    return bool(row["looks"] != body["looks"] and now - row["at"] >= EVERY)


def _rests_on(looks: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str, float | None], int]:
    """Rows of each look, and what each of its figures counts."""
    found: dict[tuple[int, str, float | None], int]
    found = {(look["since"], "", None): look["rows"] for look in looks}
    for look in looks:
        for one in look["figures"]:
            found[look["since"], one["guardrail"], one["quantile"]] = one["count"]
    return found


def recorded_hold(state: State, release: Release, site: str) -> str:
    """Why the running step did not go on when that was last recorded by a site; empty if it never
    was."""
    row = state.get(ANALYSES, analysis_key(release.id, site))
    return str(row["decision"]) if row is not None and row["step"] == release.step else ""


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
