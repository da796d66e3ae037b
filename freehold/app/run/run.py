"""`freehold run`: execute a plan; a candidate that it makes becomes a model version."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.app.contract.gate import Check, ContractGate
from freehold.app.model.register import register
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.world import surroundings
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion, version_of_run
from freehold.domain.artifact import Artifact
from freehold.domain.candidate import Candidate
from freehold.domain.errors import Conflict, NotFound
from freehold.domain.graph import references, substitute
from freehold.domain.run import Progress, RunOutcome
from freehold.running.execution import execute, is_live, resume
from freehold.running.projection import run_row, steps_of

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
    site: Site, planned: PlannedRun, observer: Observer | None = None, stage: Stage | None = None
) -> FinishedRun:
    """Raises StepFailed, ContractFailed, StorageFailed; the run can then be resumed."""
    gate = ContractGate(site)
    with surroundings(site) as world:
        outcome = execute(planned.graph, world, planned.options, observer=observer, gate=gate)
    return _finish(site, planned, outcome, gate, stage)


def resume_run(
    site: Site,
    name: str = "",
    observer: Observer | None = None,
    stage: Stage | None = None,
) -> FinishedRun:
    """Go on with the latest run that did not finish, or with the one that is named."""
    row = run_row(site.state, name) if name else _latest_unfinished(site)
    planned = plan_run(site, row["pipeline"], row["parameters"])
    gate = ContractGate(site)
    with surroundings(site) as world:
        if row["status"] == "finished":
            outcome = _recorded(site, row["run"], planned)
        else:
            outcome = resume(
                row["run"], planned.graph, world, planned.options, observer=observer, gate=gate
            )
    return _finish(site, planned, outcome, gate, stage)


def _recorded(site: Site, run: str, planned: PlannedRun) -> RunOutcome:
    """What a finished run made: only its model's registration was interrupted."""
    rows = steps_of(site.state, run)
    wanted = {found.node for found in references(planned.graph.result)}
    if not wanted <= rows.keys():
        raise Conflict(
            f"run {run} was made by another pipeline than today's",
            why=f"it has no step {', '.join(sorted(wanted - rows.keys()))}",
            hint="`freehold run` begins a new one",
            code="run.code-changed",
        )
    result = substitute(
        planned.graph.result,
        lambda found: Artifact.from_json(rows[found.node]["outputs"][found.output]),
    )
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


def _latest_unfinished(site: Site) -> dict[str, Any]:
    rows = sorted(
        (row for _, row in site.state.scan("runs")), key=lambda row: row["started"], reverse=True
    )
    models = {spec.pipeline for spec in site.project.spec.models.values()}
    for row in rows:
        if row["status"] != "finished" and is_live(row["run"], site.locks):
            raise Conflict(
                f"run {row['run']} is still going on",
                why="a process that drives it is alive",
                hint="wait for it, or stop that process",
                code="run.in-progress",
            )
        version = version_of_run(site.state, row["run"])
        unregistered = row["pipeline"] in models and (version is None or not version.judged)
        if row["status"] != "finished" or unregistered:
            found: dict[str, Any] = row
            return found
        if row["pipeline"] in models:
            break
    raise NotFound(
        "no run waits to be resumed",
        why="every run so far has finished" if rows else "there was no run yet",
        hint="`freehold run` begins one; `freehold runs` lists them",
        code="run.none-unfinished",
    )
