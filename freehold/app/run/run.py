"""`freehold run`: execute a plan; a candidate that it makes becomes a model version."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from freehold.app.contract.gate import Check, ContractGate
from freehold.app.costs.budgets import require_budget, tags_of, typical_cost
from freehold.app.costs.meter import metering
from freehold.app.model.register import register
from freehold.app.run.applying import apply_plan, require_applied
from freehold.app.run.course import Course
from freehold.app.run.elsewhere import USUAL, Elsewhere, RemoteSteps
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.runs import parameters_of
from freehold.app.run.waiting import waiting_runs
from freehold.app.run.world import surroundings
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion, version_of_run
from freehold.costs.budget import Charge
from freehold.domain.artifact import Artifact
from freehold.domain.candidate import Candidate
from freehold.domain.errors import Conflict, NotFound
from freehold.domain.graph import references, substitute
from freehold.domain.run import Progress, RunOutcome
from freehold.planning.placed import Placed
from freehold.running.execution import execute, resume
from freehold.running.projection import run_row, steps_of
from freehold.running.surroundings import Surroundings

Observer = Callable[[Progress], None]
Stage = Callable[[str], None]
"""Told what is being done after the steps: `evidence`, `package`, `policy`, `tracking`."""


@dataclass(frozen=True)
class FinishedRun:
    outcome: RunOutcome
    checks: tuple[Check, ...]
    version: ModelVersion | None
    """None for a pipeline that makes no model."""
    warnings: tuple[str, ...] = ()
    reports: Mapping[str, Any] = field(default_factory=dict)
    """By step: documents that no step asked for and that are not the result: made for people."""


def run(
    site: Site,
    planned: PlannedRun,
    observer: Observer | None = None,
    stage: Stage | None = None,
    elsewhere: Elsewhere = USUAL,
) -> FinishedRun:
    """Raises BudgetExceeded and Conflict `plan.moved` before anything runs; StepFailed,
    ContractFailed, StorageFailed: the run can then be resumed."""
    require_budget(site, charges_of(site, planned), planned.plan.digest)
    planned = apply_plan(site, planned)
    gate = ContractGate(site)
    with metering(site) as warnings:
        with _world(site, planned, elsewhere) as world:
            outcome = execute(planned.graph, world, planned.options, observer=observer, gate=gate)
        finished = _finish(site, planned, outcome, gate, stage)
    return replace(finished, warnings=(*finished.warnings, *warnings))


def charges_of(site: Site, planned: PlannedRun) -> list[Charge]:
    """What a plan is expected to cost, for the budgets: step by step where it is placed, else what
    its pipeline's latest runs came to."""
    plan = planned.plan
    if plan.placed is None:
        is_new = any(step.action != "cached" for step in plan.steps)
        typical = typical_cost(site, plan.pipeline) if is_new else 0.0
        return [Charge(tags_of(site, plan.pipeline, at=site.name), typical)]
    found = [
        Charge(tags_of(site, plan.pipeline, at=one.place.site, step=one.step), one.money)
        for one in plan.placed.steps
    ]
    rest = plan.placed.cost.money - sum(one.money for one in plan.placed.steps)
    return [*found, Charge(tags_of(site, plan.pipeline), max(rest, 0.0))]


@dataclass(frozen=True)
class PlannedResumption:
    run: str
    planned: PlannedRun
    steps_are_through: bool
    began: int = 0
    """Microseconds since 1970 UTC, by the clock of who began the run."""
    causes: tuple[str, ...] = ()
    """Of the run: its applied plan is among them."""


def plan_resume(site: Site, name: str = "") -> PlannedResumption:
    """To go on with the latest run that waits, or with the one that is named.

    Raises NotFound, Conflict `run.in-progress`, Conflict `plan.moved` where steps are left and what
    the applied plan assumed has changed, other than code; and what planning raises.
    """
    row = run_row(site.state, name) if name else _waiting(site)
    planned = plan_run(site, row["pipeline"], parameters_of(site, row))
    through = row["status"] == "finished"
    causes = tuple(row["cause"])
    if not through:
        require_applied(site, planned, causes)
    return PlannedResumption(row["run"], planned, through, row["started"], causes)


def resume_run(
    site: Site,
    resumption: PlannedResumption,
    observer: Observer | None = None,
    stage: Stage | None = None,
    elsewhere: Elsewhere = USUAL,
) -> FinishedRun:
    """Raises what `run` raises, and Conflict when another process drives it. Budgets are asked for
    what is still to be done, and the world is looked at once more."""
    gate, planned = ContractGate(site), resumption.planned
    if resumption.steps_are_through:
        outcome = _recorded(site, resumption.run, planned, gate)
        return _finish(site, planned, outcome, gate, stage)
    require_budget(site, charges_of(site, planned), planned.plan.digest)
    require_applied(site, planned, resumption.causes)
    under_way = max(site.clock() - resumption.began, 0) / 1e6
    with metering(site) as warnings:
        with _world(site, planned, elsewhere, under_way) as world:
            outcome = resume(
                resumption.run, planned.graph, world, planned.options, observer=observer, gate=gate
            )
        finished = _finish(site, planned, outcome, gate, stage)
    return replace(finished, warnings=(*finished.warnings, *warnings))


@contextmanager
def _world(
    site: Site, planned: PlannedRun, elsewhere: Elsewhere, under_way: float = 0.0
) -> Iterator[Surroundings]:
    """Other sites are part of it where the project has any: a step may have read there before.

    `under_way`: seconds for which the run has been, when it is resumed.
    """
    if not site.project.spec.sites:
        with surroundings(site, planned.places) as world:
            yield world
        return
    needed = needed_here(site, planned)
    if elsewhere.replace is USUAL.replace and planned.plan.placed is not None:
        course = _course(planned.plan.placed, elsewhere, under_way)
        elsewhere = replace(elsewhere, replace=course.after, leaves=course.leaves)
    with (
        RemoteSteps(site, needed, elsewhere) as others,
        surroundings(site, planned.places, others) as world,
    ):
        yield world


def _course(placed: Placed, elsewhere: Elsewhere, under_way: float) -> Course:
    routes = {one.step: one.route for one in placed.steps}
    beat = elsewhere.every + elsewhere.grace
    return Course(routes, beat, time.monotonic() - under_way)


def needed_here(site: Site, planned: PlannedRun) -> set[str]:
    """Steps whose outputs are read at this site: by a step, by a contract, by the registration of
    the model, or by people."""
    graph = planned.graph
    contracts = {one.step for one in site.project.spec.contracts}
    needed = {found.node for found in references(graph.result)}
    read = set(needed)
    for node in graph.nodes:
        place = planned.places.get(node.name)
        found = {reference.node for _, reference in node.references()}
        read |= found
        if place is None or place.site == site.name:
            needed |= found
        if node.step.name in contracts:
            needed.add(node.name)
    return needed | {node.name for node in graph.nodes if node.name not in read}


def _recorded(site: Site, run: str, planned: PlannedRun, gate: ContractGate) -> RunOutcome:
    """What a finished run made, its contracts looked at again: only its model's registration was
    interrupted."""
    rows = steps_of(site.state, run)
    wanted = {found.node for found in references(planned.graph.result)}
    if not wanted <= rows.keys():
        raise Conflict(
            f"run {run} was made by another pipeline than today's",
            why=f"it has no step {', '.join(sorted(wanted - rows.keys()))}",
            hint="`freehold run` begins a new one",
            code="run.code-changed",
        )
    outputs = {
        name: tuple(Artifact.from_json(one) for one in row["outputs"])
        for name, row in rows.items()
        if row["status"] == "finished"
    }
    for node in planned.graph.nodes:
        if node.name in outputs:
            gate(node, outputs[node.name])
    result = substitute(planned.graph.result, lambda found: outputs[found.node][found.output])
    return RunOutcome(run, planned.graph.name, {}, result)


def _finish(
    site: Site, planned: PlannedRun, outcome: RunOutcome, gate: ContractGate, stage: Stage | None
) -> FinishedRun:
    checks = tuple(gate.checks)
    reports = _reports(site, planned, outcome)
    if not planned.plan.model or not isinstance(outcome.result, Candidate):
        return FinishedRun(outcome, checks, None, reports=reports)
    known = version_of_run(site.state, outcome.run)
    if known is not None and known.judged:
        return FinishedRun(outcome, checks, known, reports=reports)
    made = register(site, planned.plan.model, outcome, checks, stage or (lambda _: None))
    return FinishedRun(outcome, checks, made.version, made.warnings, reports)


def _reports(site: Site, planned: PlannedRun, outcome: RunOutcome) -> dict[str, Any]:
    used = {found.node for node in planned.graph.nodes for _, found in node.references()}
    used |= {found.node for found in references(planned.graph.result)}
    return {
        name: json.loads(site.artifacts.get(step.outputs[0].digest))
        for name, step in outcome.steps.items()
        if name not in used and len(step.outputs) == 1 and step.outputs[0].format == "json"
    }


def _waiting(site: Site) -> dict[str, Any]:
    """The latest run that waits. Raises Conflict, NotFound."""
    waiting = waiting_runs(site)
    if not waiting:
        raise NotFound(
            "no run waits to be resumed",
            why="there was none yet, or all that were begun have ended",
            hint="`freehold run` begins one; `freehold runs` lists them",
            code="run.none-unfinished",
        )
    latest = waiting[0]
    if latest.standing == "running":
        raise Conflict(
            f"run {latest.row['run']} is still going on",
            why="a process that drives it is alive",
            hint="wait for it, or stop that process",
            code="run.in-progress",
        )
    return latest.row
