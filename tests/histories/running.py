"""Runs, their steps and plans, and what is asked of other sites."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from freehold.domain.artifact import Artifact
from freehold.domain.fact import Draft
from freehold.domain.placement import Place
from freehold.domain.projection import State
from freehold.domain.run import Failure
from freehold.planning.applied import APPLIED
from freehold.replication import leases
from freehold.replication.work import AskedStep, Completion, Lease, Work
from freehold.running.readiness import Ready
from freehold.running.record import Done, Facts
from histories.desk import PERSON, SITES, Act, Desk

PIPELINE = "train"


def _names(desk: Desk) -> tuple[str, str]:
    """Of a run and a step."""
    return f"run{desk.chance.randint(1, 3)}", f"step{desk.chance.randint(1, 2)}"


def _done(desk: Desk) -> Done:
    spot = desk.likely(0.2)
    return Done(desk.any(0, 7_000), desk.likely(0.2), desk.any(*SITES), desk.any("", "m5"), spot)


def _ready(desk: Desk, step: str) -> Ready:
    """As much of one as its facts tell."""
    key = SimpleNamespace(digest=f"key{desk.chance.randint(1, 3)}", components={"code": "c"})
    node = SimpleNamespace(name=step, step=SimpleNamespace(address="steps:f"))
    read = {"table": Artifact(desk.digest(), "json", 1)}
    return cast(Ready, SimpleNamespace(key=key, node=node, inputs=read))


def run(state: State, desk: Desk) -> Sequence[Draft]:
    name, step = _names(desk)
    row = state.get("runs", name)
    if row is None:
        body = {
            "environment": "e",
            "parameters": {"rows": 7},
            "parameters_attachment": desk.any("", "attached"),
            "pipeline": PIPELINE,
            "run": name,
            "steps": 2,
        }
        return [Draft("run.started", body, 2, actor=PERSON)]
    facts = Facts(name, row["fact"], PERSON)
    attempt = desk.chance.randint(1, 3)
    match desk.chance.randint(1, 8):
        case 1:
            return [facts.resumed()]
        case 2 | 3:
            return [facts.ended(desk.any("finished", "failed"))]
        case 4:
            return [facts.interrupted(step, _done(desk), attempt)]
        case 5:
            failure = Failure("step.raised", "ValueError")
            return [facts.failed(_ready(desk, step), failure, attempt, "attached", _done(desk))]
    made = tuple(Artifact.from_json(desk.output()) for _ in range(desk.chance.randint(1, 2)))
    return [facts.finished(_ready(desk, step), made, _done(desk))]


def checkpoint(state: State, desk: Desk) -> Sequence[Draft]:
    name, step = _names(desk)
    output = desk.output()
    body = {
        "artifact": output["digest"],
        "format": "bytes",
        "key": f"key{desk.chance.randint(1, 3)}",
        "labels": output["labels"],
        "number": desk.chance.randint(1, 6),
        "run": name,
        "size": 1,
        "step": step,
    }
    started = state.get("runs", name)
    return [Draft("step.checkpointed", body, cause=(started["fact"],) if started else ())]


def plan(state: State, desk: Desk) -> Sequence[Draft]:
    placed = desk.likely(0.7)
    where = {"machine": "m5", "site": desk.any(*SITES), "spot": False}
    body = {
        "assumed": {"code": desk.digest()},
        "carbon": 0.5 if placed else None,
        "currency": "EUR",
        "lowered": {"step1": desk.labels()},
        "money": 1.25 if placed else None,
        "pipeline": PIPELINE,
        "plan": desk.digest(),
        "seconds": 60.0 if placed else None,
        "steps": {"step1": {"action": "run", "estimate": None, "place": where}},
    }
    return [Draft(APPLIED, body, actor=PERSON)]


def check(state: State, desk: Desk) -> Sequence[Draft]:
    body: dict[str, Any] = {
        "artifact": desk.digest(),
        "contract": desk.digest(),
        "passed": desk.likely(0.7),
        "report": desk.fresh_digest(),
        "rows": 7,
    }
    return [Draft("contract.checked", {**body, "name": "flights"} if desk.likely(0.5) else body, 2)]


def want(state: State, desk: Desk) -> Sequence[Draft]:
    body = {"site": desk.site, "digests": [desk.digest() for _ in range(desk.chance.randint(1, 2))]}
    return [Draft("artifact.wanted", body, actor=PERSON)]


def ask(state: State, desk: Desk) -> Sequence[Draft]:
    """Of two names by whole pipelines, and of two by attempts of a step: a site may ask what
    another asked already and it does not know of."""
    number = desk.chance.randint(1, 2)
    if desk.likely(0.5):
        name, step = _names(desk)
        place = Place(desk.any(*SITES), desk.any("", "m5"), desk.likely(0.3))
        asked = AskedStep(
            name, step, f"key{number}", 1, 1, place, (desk.digest(),), desk.labels(), True
        )
        return leases.ask_step(state, f"step-{number}", asked, "attached", PERSON)
    if state.get(leases.WORK, f"work-{number}") is not None:
        return []
    body = {
        "parameters": {"rows": 7},
        "parameters_attachment": "",
        "pipeline": PIPELINE,
        "site": desk.any(*SITES),
        "work": f"work-{number}",
    }
    return [Draft("work.requested", body, actor=PERSON)]


def take(state: State, desk: Desk) -> Sequence[Draft]:
    """What is free, or what somebody is thought to have died of."""
    found = [one for one in leases.all_work(state, desk.site) if one.open]
    return leases.take(state, desk.chance.choice(found), 60.0, "agent") if found else ()


def work(state: State, desk: Desk) -> Sequence[Draft]:
    """Something with a lease that it has, or had."""
    found = [
        (one, lease)
        for one in leases.all_work(state)
        for lease in one.leases
        if lease.writer == desk.writer
    ]
    if not found:
        return []
    one, lease = desk.chance.choice(found)
    match desk.chance.randint(1, 4):
        case 1:
            return leases.renew(state, one.name, lease, "agent")
        case 2:
            return leases.release(state, one.name, lease, "agent")
    return _completed(state, desk, one, lease)


def _completed(state: State, desk: Desk, one: Work, lease: Lease) -> Sequence[Draft]:
    outputs = (Artifact.from_json(desk.output()),) if one.step else ()
    name = one.step.run if one.step else _names(desk)[0]
    end = Completion("", "", lease.fence, name, desk.any("finished", "failed"), None, "", outputs)
    draft = leases.complete(state, one.name, lease, end, "agent")
    return [] if draft is None else [draft]


def cancel(state: State, desk: Desk) -> Sequence[Draft]:
    found = leases.open_work(state)
    if not found or desk.likely(0.6):
        return []
    return [leases.cancel(state, desk.chance.choice(found).name, PERSON)]


ACTS: tuple[Act, ...] = (
    *(run, run, run, run, checkpoint, plan, check, want),
    *(ask, take, take, work, work, cancel),
)
