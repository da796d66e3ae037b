"""Facts as sentences. What a fact's body holds is numbers, codes and names; here they are read."""

from collections.abc import Callable, Mapping
from typing import Any

from freehold.domain.fact import Fact
from freehold.domain.signal import figure_of, measured

Body = Mapping[str, Any]
RULE = "policy"
"""The actor of what the project's own rule decided, and no person."""


def telling(fact: Fact, who: str = "", attached: Body | None = None) -> str:
    """One line for people; the type alone for a fact that has no sentence.

    `who` did it, by name; `attached` is what the fact's body keeps elsewhere, None if erased.
    """
    sentence = _SENTENCES.get(fact.type)
    if sentence is None:
        return fact.type
    by = "the project's own rule" if fact.actor == RULE else who or fact.actor
    return sentence({**fact.body, "attached": attached, "by": by})


def _run(body: Body) -> str:
    attached = body["attached"]
    given = {**body["parameters"], **(attached or {})}
    told = ", ".join(f"{name}={value}" for name, value in sorted(given.items()))
    if body.get("parameters_attachment") and attached is None:
        told = ", ".join(one for one in (told, "and text that was erased") if one)
    began = f"run {body['run']} of pipeline {body['pipeline']} began"
    return f"{began} with {told}" if told else began


def _planned(body: Body) -> str:
    cost = "" if body["money"] is None else f", {body['money']:,.2f} {body['currency']}"
    return f"plan {body['plan'][:19]} of pipeline {body['pipeline']} carried out{cost}"


def _registered(body: Body) -> str:
    auc = body["headline"].get("auc")
    figure = f", AUC {auc:.3f}" if auc is not None else ""
    rows = body["rows"]
    return (
        f"{body['model']}@{body['version']} registered from run {body['run']}{figure},"
        f" {rows['training']:,} training and {rows['evaluation']:,} evaluation rows"
    )


def _checked(body: Body) -> str:
    name = body.get("name") or body["contract"][:19]
    return f"contract {name} {'held' if body['passed'] else 'failed'} on {body['rows']:,} rows"


def _judged(body: Body) -> str:
    answer = "allowed" if body["allowed"] else f"denied by {', '.join(body['rules'])}"
    return f"policy: {body['model']}@{body['version']} {answer}"


def _signal(body: Body) -> str:
    about = measured(body["kind"], body["feature"])
    value, limit = (figure_of(body["kind"], body[name]) for name in ("value", "limit"))
    return (
        f"{body['kind']} of {about}: {value} over {limit} on"
        f" {body['rows']:,} rows, {body['window_start']} to {body['window_end']}"
    )


def _assessed(body: Body) -> str:
    psi = body["score_psi"]
    figure = f", score PSI {psi:.2f}" if psi is not None else ""
    return (
        f"{body['model']}@{body['version']} measured on {body['rows']:,} rows,"
        f" {body['window_start']} to {body['window_end']}{figure}"
    )


def _alias(body: Body) -> str:
    if body["version"] is None:
        return f"{body['model']}@{body['previous']} is no longer the {body['alias']}"
    before = f", after {body['previous']}" if body["previous"] is not None else ""
    return f"{body['model']}@{body['version']} became the {body['alias']}{before}"


def _ended(body: Body) -> str:
    on = f"by {body['by']}" if _by_person(body) else f"on {body['rows']:,} rows"
    return f"release {body['release']} completed {on}"


def _advanced(body: Body) -> str:
    on = f"by {body['by']}" if _by_person(body) else f"{body['rows']:,} rows"
    return f"release {body['release']} to {body['weight']} %, {on}"


def _by_person(body: Body) -> bool:
    """Facts of earlier releases do not say who decided; no person could."""
    return body.get("decided") == "person"


def _analysed(body: Body) -> str:
    figures = [one for look in body["looks"] for one in look["figures"]]
    crossed = {one["guardrail"] for one in figures if (one["low"] or 0) > one["limit"]}
    told = f"beyond its limit: {', '.join(sorted(crossed))}" if crossed else "nothing beyond limits"
    if body["decision"].startswith("frozen"):
        told += f"; {body['decision'].replace(':', ' by ')}"
    if body["decision"] == "sample-ratio":
        ids = body["assignment"]
        told = f"{ids['canary']:,} of {ids['ids']:,} ids instead of {ids['share']:.1%}"
    return f"release {body['release']} looked at on {body['rows']:,} rows: {told}"


def _rolled_back(body: Body) -> str:
    if body["guardrail"] == "person":
        return f"{body['model']}@{body['version']} rolled back by {body['by']}"
    if body["guardrail"] == "trial":
        return f"{body['model']}@{body['version']} rolled back: the champion is better"
    return (
        f"{body['model']}@{body['version']} rolled back: {body['guardrail']}"
        f" {body['value']:.3g} over {body['limit']:.3g} on {body['rows']:,} rows"
    )


def _decided(body: Body) -> str:
    better = {"version": f"{body['model']}@{body['version']} is better", "champion": "it is worse"}
    told = better.get(body["winner"], "undecided")
    effect = "too little is known"
    if body["value"] is not None:
        bounds = f"{body['low']:+.3g} to {body['high']:+.3g}"
        effect = f"{body['metric']} {body['value']:+.3g} ({bounds}), {body['rows']:,} rows"
    return f"release {body['release']}: {told}, {effect}"


def _weighted(body: Body) -> str:
    earned = " and ".join(f"{one['mean']:.3g} on {one['rows']:,} rows" for one in body["arms"])
    return (
        f"release {body['release']} to {body['weight']} %: {body['metric']} {earned},"
        f" better with a chance of {body['chance']:.1%}"
    )


def _completed(body: Body) -> str:
    why = f" with {body['code']}" if body["code"] else ""
    run = f" by run {body['run']}" if body["run"] else ""
    return f"work {body['work']} {body['status']}{why}{run}, under fence {body['fence']}"


_SENTENCES: Mapping[str, Callable[[Body], str]] = {
    "alias.moved": _alias,
    "contract.checked": _checked,
    "hold.placed": lambda b: f"{b['hold']}: {b['kind']} {b['name']} is on hold, by {b['by']}",
    "hold.released": lambda b: f"{b['hold']} released by {b['by']}",
    "lease.released": lambda b: f"work {b['work']} given back, fence {b['fence']}",
    "lease.renewed": lambda b: f"work {b['work']} still under way, fence {b['fence']}",
    "lease.taken": lambda b: f"work {b['work']} taken, fence {b['fence']}",
    "model.judged": _judged,
    "model.registered": _registered,
    "monitoring.assessed": _assessed,
    "proposal.approved": lambda b: f"proposal {b['proposal']} approved by {b['by']}",
    "proposal.done": lambda b: f"proposal {b['proposal']} done: version {b['made_version']}",
    "proposal.failed": lambda b: f"proposal {b['proposal']} failed: {b['code']}",
    "proposal.made": lambda b: f"proposal {b['proposal']}: {b['action']}",
    "proposal.rejected": lambda b: f"proposal {b['proposal']} rejected by {b['by']}",
    "release.advanced": _advanced,
    "release.analysed": _analysed,
    "release.completed": _ended,
    "release.decided": _decided,
    "release.gone-back": lambda b: f"release {b['release']} is out of traffic at {b['site']}",
    "release.ready": lambda b: f"release {b['release']} ready at {b['site']}, {b['rows']:,} rows",
    "release.paused": lambda b: f"release {b['release']} paused by {b['by']}",
    "release.resumed": lambda b: f"release {b['release']} goes on, by {b['by']}",
    "release.rolled-back": _rolled_back,
    "release.started": lambda b: f"release {b['release']} began, {b['strategy']}",
    "release.weighted": _weighted,
    "plan.applied": _planned,
    "run.started": _run,
    "signal.raised": _signal,
    "storage.collected": lambda b: f"{b['objects']:,} objects and {b['parts']:,} log files let go",
    "work.cancelled": lambda b: f"work {b['work']} cancelled by {b['by']}",
    "work.completed": _completed,
    "work.requested": lambda b: f"{b['by']} asked {b['site']} to run {b['pipeline']}: {b['work']}",
    "site.opened": lambda b: f"site {b['site']} opened with key {b['key'][:19]}",
    "site.updated": lambda b: f"goes on with Freehold {b['freehold']}",
}
