"""Runs, their steps, and the cache, folded from facts.

Tables
- `runs`, by run: run, pipeline, status (`running`, `finished`, `failed`), started, ended (wall
  microseconds), ending (name of the fact that ended it, or empty), parameters (those that are not
  text), parameters_attachment (the others, or empty), environment, steps (how many), actor, cause,
  fact. A run that is `running` without a process that holds its lock was interrupted.
- `steps`, by `run/step`: run, step, function, status (`finished`, `failed`), key, components,
  inputs, outputs, cached, microseconds, site, machine; attempt, code, attachment of the last
  failure.
- `endings`, by `run/step`: {failed, interrupted}: how many attempts ended so.
- `checkpoints`, by `run/step`: see `running.checkpoints`.
- `recent_steps`, by `pipeline/step`: run, key, components of the latest that finished.
- `cache`, by key: outputs, run, step, fact.
- `labels`, by digest, and `run_labels`, by run: labels that any fact gave to what was made.

A step that two sites finished without knowing of each other is finished once: by the first fact in
the common order. A run that one site finished stays so whatever another did that did not know it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from freehold.domain.errors import NotFound
from freehold.domain.fact import Fact, site_of
from freehold.domain.labels import inherited
from freehold.domain.ordering import knew, unseen
from freehold.domain.projection import Change, Projection, State
from freehold.running.checkpoints import CHECKPOINTS, KEPT


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    body = fact.body
    run = str(body["run"])
    if fact.type == "run.started":
        yield Change("runs", run, _started(fact))
    elif fact.type in ("run.resumed", "run.finished"):
        row = state.get("runs", run) or {}
        if row.get("status") != "finished" or not unseen(state, fact, [row["ending"]]):
            yield Change("runs", run, {**row, **_standing(fact)})
    elif fact.type == "step.failed":
        kept = {name: body[name] for name in ("attachment", "attempt", "code", "function")}
        row = {**kept, "run": run, "status": "failed", "step": body["step"]}
        yield _ending(fact, state, "failed")
        if not _is_finished_elsewhere(fact, state):
            yield Change("steps", f"{run}/{body['step']}", row)
    elif fact.type == "step.interrupted":
        yield _ending(fact, state, "interrupted")
    elif fact.type == "step.checkpointed":
        yield from _checkpointed(fact, state)
    elif fact.type == "work.completed":
        # Of a step: what it made bears its labels before the run that asked for it says so.
        if "outputs" in body:
            yield from _labelled(fact, state, body["outputs"])
    else:
        yield from _finished(fact, state)


def _started(fact: Fact) -> dict[str, Any]:
    return {
        # Version 1 of the fact had all parameters in its body.
        "parameters_attachment": "",
        **fact.body,
        "actor": fact.actor,
        "cause": list(fact.cause),
        "ended": None,
        "ending": "",
        "fact": fact.name,
        "started": fact.time.wall,
        "status": "running",
    }


def _standing(fact: Fact) -> dict[str, Any]:
    if fact.type == "run.resumed":
        return {"ended": None, "ending": "", "status": "running"}
    return {"ended": fact.time.wall, "ending": fact.name, "status": fact.body["status"]}


def _finished(fact: Fact, state: State) -> Iterable[Change]:
    body = fact.body
    step = f"{body['run']}/{body['step']}"
    yield from _labelled(fact, state, body["outputs"])
    if _is_finished_elsewhere(fact, state):
        return
    # Version 1 did not say where: it was always where it was recorded.
    where = {"machine": "", "site": site_of(fact.writer)}
    yield Change("steps", step, {**where, **body, "fact": fact.name, "status": "finished"})
    run = state.get("runs", str(body["run"])) or {}
    latest = {name: body[name] for name in ("components", "key", "run")}
    yield Change("recent_steps", f"{run.get('pipeline', '')}/{body['step']}", latest)
    if body["cached"]:
        return
    hit = state.get("cache", body["key"])
    if hit is None or knew(state, fact, hit["fact"]):
        made = {name: body[name] for name in ("outputs", "run", "step")}
        yield Change("cache", body["key"], {**made, "fact": fact.name})


def _ending(fact: Fact, state: State, how: str) -> Change:
    step = f"{fact.body['run']}/{fact.body['step']}"
    row = state.get("endings", step) or {"failed": 0, "interrupted": 0}
    return Change("endings", step, {**row, how: row[how] + 1})


def _checkpointed(fact: Fact, state: State) -> Iterable[Change]:
    """Those of the newest key; of equal numbers, which two sites gave, the later in the common
    order comes first."""
    body, step = fact.body, f"{fact.body['run']}/{fact.body['step']}"
    one = {name: body[name] for name in ("labels", "number", "size")}
    one |= {"digest": body["artifact"], "fact": fact.name}
    yield from _labelled(fact, state, [one])
    row = state.get(CHECKPOINTS, step)
    before = row["newest"] if row is not None and row["key"] == body["key"] else []
    newest = sorted([one, *before], key=lambda found: -found["number"])[:KEPT]
    yield Change(CHECKPOINTS, step, {"key": body["key"], "newest": newest})


def _labelled(fact: Fact, state: State, made: Iterable[Mapping[str, Any]]) -> Iterable[Change]:
    """A label that was said of bytes, or of what a run made, is never unsaid: not by a later fact
    about the same step, and not by another run that makes the same bytes without it."""
    of_run = None
    for output in made:
        labels = output.get("labels", {})
        if labels == {} and type(output["digest"]) is str:
            continue  # most say nothing: two rows need not be read for it
        of_run = of_run or state.get("run_labels", str(fact.body["run"])) or {}
        of_bytes = state.get("labels", output["digest"]) or {}
        if inherited([of_bytes, labels]) != of_bytes:
            yield Change("labels", output["digest"], inherited([of_bytes, labels]))
        if inherited([of_run, labels]) != of_run:
            of_run = inherited([of_run, labels])
            yield Change("run_labels", str(fact.body["run"]), of_run)


def _is_finished_elsewhere(fact: Fact, state: State) -> bool:
    """Whether two sites ran the step, each thinking the other dead: the first completion counts."""
    row = state.get("steps", f"{fact.body['run']}/{fact.body['step']}")
    return (
        row is not None and row["status"] == "finished" and bool(unseen(state, fact, [row["fact"]]))
    )


projection = Projection(
    name="running",
    version=7,
    types=frozenset(
        {
            "run.finished",
            "run.resumed",
            "run.started",
            "step.checkpointed",
            "step.failed",
            "step.finished",
            "step.interrupted",
            "work.completed",
        }
    ),
    fold=_fold,
)


def run_row(state: State, run: str) -> dict[str, Any]:
    """Raises NotFound `run.unknown`."""
    row: dict[str, Any] | None = state.get("runs", run)
    if row is None:
        raise NotFound(f"there is no run {run}", code="run.unknown", hint="freehold runs")
    return row


def unfinished(state: State) -> tuple[dict[str, Any], ...]:
    """Runs that can be resumed, or still go on in another process; the latest first."""
    rows = [row for _, row in state.scan("runs") if row["status"] != "finished"]
    return tuple(sorted(rows, key=lambda row: row["started"], reverse=True))


def attempts_ended(state: State, run: str, step: str) -> int:
    """How many attempts of a step of the run are recorded as failed or interrupted."""
    row = state.get("endings", f"{run}/{step}") or {}
    return sum(row.values())


def steps_of(state: State, run: str) -> dict[str, dict[str, Any]]:
    """By step, the rows of a run."""
    return {row["step"]: row for _, row in state.scan("steps", f"{run}/")}
