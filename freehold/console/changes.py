"""What can be changed. Each answers after its facts are on the disk, and none can happen twice:

approve, reject    a proposal that is no longer `made` is a 409
release            a plan's digest holds the release's id, which no other gets: a 409
settle             a conflict that is settled is a 409
work               asked again under its Idempotency-Key, it is the same work
"""

from typing import Any

from freehold.app.conflict.conflicts import settle_conflict
from freehold.app.loop.proposals import approve, reject
from freehold.app.release.release import plan_release, release
from freehold.app.site.opening import Site
from freehold.app.work.request import plan_request, request
from freehold.app.work.work import find_work
from freehold.console.request import Asked, Field, malformed
from freehold.domain.errors import Conflict, Fault
from freehold.domain.release import STRATEGIES

Made = dict[str, Any]


def approve_proposal(site: Site, asked: Asked) -> Made:
    """The loop carries it out, here or in the agent."""
    asked.fields()
    return {"shape": 1, **approve(site, asked.place["proposal"]).as_json()}


def reject_proposal(site: Site, asked: Asked) -> Made:
    asked.fields()
    return {"shape": 1, **reject(site, asked.place["proposal"]).as_json()}


def begin_release(site: Site, asked: Asked) -> Made:
    """With `dry_run`, its plan; else the release, if the plan is still what was seen."""
    given = asked.fields(
        Field("version", str, required=True),
        Field("strategy", str),
        Field("sites", list),
        Field("plan", str),
    )
    dry, seen = asked.flag("dry_run"), given.get("plan")
    faults = []
    strategies = {one: one for one in STRATEGIES}
    how = strategies.get(given.get("strategy", "canary"))
    if how is None:
        what = f"must be one of {', '.join(strategies)}"
        faults.append(Fault("request.field", what, "strategy"))
    if dry and seen is not None:
        faults.append(Fault("request.field", "is what this asks for", "plan"))
    if not dry and seen is None:
        hint = "ask with ?dry_run=true first, and send the digest that it answers"
        faults.append(Fault("request.field", "is missing", "plan", hint))
    if faults or how is None:
        raise malformed(faults)
    plan = plan_release(site, given["version"], how, tuple(given.get("sites", ())))
    if dry:
        return {"shape": 1, "plan": plan.as_json(), "digest": plan.digest}
    if seen != plan.digest:
        raise Conflict(
            f"the release of {plan.version.name} is not planned like that any more",
            why="what serves, what was released or the settings moved since that plan was made",
            hint="ask with ?dry_run=true again, look at it, and send its digest",
            code="release.moved",
        )
    return {"shape": 1, **release(site, plan).as_json()}


def settle(site: Site, asked: Asked) -> Made:
    given = asked.fields(Field("keep", int))
    done = settle_conflict(site, asked.place["conflict"], given.get("keep"))
    return {"shape": 1, **done.as_json()}


def ask_work(site: Site, asked: Asked) -> Made:
    """It reaches the other site with the next meeting: the agent's, or `freehold sync`."""
    given = asked.fields(
        Field("site", str, required=True),
        Field("pipeline", str),
        Field("parameters", dict),
    )
    planned = plan_request(
        site, given["site"], given.get("pipeline", ""), given.get("parameters", {})
    )
    return {"shape": 1, "work": find_work(site, request(site, planned, asked.key).name)}
