"""Carries a plan out only while what it stands on is as it was, and records that it does."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from freehold.app.project.loading import module_sources
from freehold.app.project.reading import read_project
from freehold.app.run.placement.ground import prices_digest, sites_digest
from freehold.app.run.placement.laws import policies_digest
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.world import environment_digest
from freehold.app.site.opening import Site
from freehold.domain.canonical import digest_of
from freehold.domain.errors import Conflict, NotFound, WrongUsage
from freehold.domain.fact import Draft
from freehold.domain.placement import Place
from freehold.planning.applied import APPLIED, as_plan, estimate_of, last_applied
from freehold.planning.comparison import Difference, compare
from freehold.planning.placed import PlacedStep
from freehold.planning.run_plan import SHAPE

SPOKEN = {
    "code": "the project's Python",
    "environment": "the environment's packages",
    "labels": "the labels of data",
    "policies": "the policies of placement",
    "prices": "the prices",
    "sites": "what freehold.yaml says of sites and placement",
}


@dataclass(frozen=True)
class SavedPlan:
    """A plan that was written to a file."""

    document: Mapping[str, Any]

    @property
    def assumed(self) -> dict[str, str]:
        return dict(self.document["assumed"])


def read_plan(path: Path) -> SavedPlan:
    """Raises NotFound `plan.no-file`, WrongUsage `plan.file`."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(
            f"there is no file {path}",
            why="nothing is there, or no longer",
            hint="`freehold plan --save FILE` writes one",
            code="plan.no-file",
        ) from None
    except ValueError as exc:
        raise _no_plan(path, str(exc)) from exc
    if not isinstance(document, dict) or document.get("shape") != SHAPE:
        raise _no_plan(path, f"it is not the JSON of a plan of shape {SHAPE}")
    body = {name: document.get(name) for name in _BODY}
    if digest_of(body) != document.get("digest"):
        raise _no_plan(path, "its digest is not that of its content: it was changed by hand")
    return SavedPlan(document)


_BODY = ("assumed", "model", "parameters", "pipeline", "steps", "without")


def _no_plan(path: Path, why: str) -> WrongUsage:
    return WrongUsage(
        f"{path} is no plan that can be carried out",
        why=why,
        hint="`freehold plan --save FILE` writes one",
        code="plan.file",
    )


def plan_again(site: Site, saved: SavedPlan) -> PlannedRun:
    """The run of a saved plan, each step where the plan has it.

    Raises Conflict `plan.moved` when something that it stands on has changed, and what planning
    raises.
    """
    document = saved.document
    _require_same(saved.assumed, {**saved.assumed, **assumed_now(site)})
    without = tuple(document["without"])
    planned = plan_run(site, document["pipeline"], document["parameters"], without=without)
    _require_same(saved.assumed, planned.plan.assumed)
    stated = {one["step"]: Place.from_json(one["place"]) for one in document["steps"]}
    places = {step: stated[step] for step in planned.places}
    return replace(planned, places=places)


def apply_plan(site: Site, planned: PlannedRun) -> PlannedRun:
    """Appends plan.applied; the run follows from it. Raises Conflict `plan.moved`: between the
    plan and the word to go, the world may have changed."""
    plan = planned.plan
    _require_same(plan.assumed, {**plan.assumed, **assumed_now(site)})
    placed = plan.placed
    steps = {} if placed is None else {one.step: one for one in placed.steps}
    body = {
        "assumed": dict(plan.assumed),
        "carbon": None if placed is None else placed.cost.carbon,
        "currency": site.project.spec.currency,
        "lowered": {step: dict(labels) for step, labels in planned.lowered.items()},
        "money": None if placed is None else placed.cost.money,
        "pipeline": plan.pipeline,
        "plan": plan.digest,
        "seconds": None if placed is None else placed.cost.seconds,
        "steps": {
            one.step: {
                "action": one.action,
                "place": planned.places.get(one.step, one.place).as_json(),
                "estimate": None if one.step not in steps else _estimate(steps[one.step]),
            }
            for one in plan.steps
        },
    }
    draft = Draft(APPLIED, body, cause=planned.options.cause, actor=planned.options.actor)
    (entry,) = site.ledger.append([draft])
    cause = (*planned.options.cause, entry.fact.name)
    return replace(planned, options=replace(planned.options, cause=cause))


def require_applied(site: Site, planned: PlannedRun, causes: Iterable[str]) -> None:
    """Whether a run that is gone on with stands on what its plan was applied with. `causes`: of the
    run. Its code may have been mended: that is what a failed run waits for. A site that takes over
    from another has an environment of its own.

    Raises Conflict `plan.moved`.
    """
    row = estimate_of(site.state, causes)
    if row is None:
        return
    free = {"code"} if row["site"] == site.name else {"code", "environment"}
    applied = {name: one for name, one in row["assumed"].items() if name not in free}
    now = {**planned.plan.assumed, **assumed_now(site)}
    moved = _moved(applied, now)
    if moved:
        raise Conflict(
            "the world has moved since this run's plan was applied",
            why=f"changed since: {moved}",
            hint="undo that, or plan a new run: `freehold plan --diff`, `freehold run`; it finds in"
            " the cache what this one made",
            code="plan.moved",
        )


def _estimate(one: PlacedStep) -> dict[str, float]:
    return {"carbon": one.carbon, "money": one.money, "seconds": one.seconds}


def difference_to_last(site: Site, planned: PlannedRun) -> Difference:
    """Raises NotFound `plan.none-applied`."""
    row = last_applied(site.state, planned.plan.pipeline)
    if row is None:
        raise NotFound(
            f"no plan of '{planned.plan.pipeline}' was carried out yet",
            why="there is nothing to compare this one with",
            hint="`freehold run` carries one out",
            code="plan.none-applied",
        )
    return compare(as_plan(row), planned.plan.as_json())


def assumed_now(site: Site) -> dict[str, str]:
    """What can be seen without planning anew, as the files are now."""
    project = read_project(site.project.root, site.name)
    sources = module_sources(project.root)
    return {
        "code": digest_of({m: sha256(data).hexdigest() for m, data in sources.items()}),
        "environment": environment_digest(project.root),
        "policies": policies_digest(project),
        "prices": prices_digest(project),
        "sites": sites_digest(project.spec),
    }


def _require_same(planned: Mapping[str, str], now: Mapping[str, str]) -> None:
    moved = _moved(planned, now)
    if moved:
        raise Conflict(
            "the world has moved since this was planned",
            why=f"changed since: {moved}",
            hint="plan again, and look at what is different: `freehold plan --diff`",
            code="plan.moved",
        )


def _moved(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    moved = [name for name, digest in before.items() if now.get(name) != digest]
    return ", ".join(SPOKEN.get(name, name) for name in moved)
