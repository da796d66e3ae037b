"""`freehold plan`: what a run of a pipeline would do, where, and what that costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from freehold.app.contract.gate import contracts_of, unknown_steps
from freehold.app.project.loading import load_pipelines, require_readable, stand_ins, traced
from freehold.app.run.placement.choosing import Chosen, Forecasts, choose, recorded_labels
from freehold.app.run.placement.ground import is_placed, prices_digest, sites_digest
from freehold.app.run.placement.laws import laws_of, policies_digest, require_consent, require_home
from freehold.app.run.world import codecs, options_of
from freehold.app.site.opening import Site
from freehold.authoring.pipeline import Pipeline
from freehold.domain.canonical import digest_of
from freehold.domain.errors import ProjectInvalid, WrongUsage
from freehold.domain.graph import Graph
from freehold.domain.json_value import plain
from freehold.domain.placement import Place
from freehold.planning.labelling import Labels, StepLabels, labels_of
from freehold.planning.run_plan import PlannedStep, RunPlan
from freehold.running.preview import Forecast, preview
from freehold.running.readiness import Options


@dataclass(frozen=True)
class PlannedRun:
    """A plan and what carries it out."""

    plan: RunPlan
    graph: Graph
    options: Options
    places: Mapping[str, Place] = field(default_factory=dict)
    """Step → where it runs; what is not named runs here."""
    lowered: Mapping[str, Labels] = field(default_factory=dict)
    """Step → the labels that a policy consented to lower."""


def plan_run(
    site: Site,
    pipeline: str = "",
    values: Mapping[str, Any] | None = None,
    *,
    cache: bool = True,
    cause: tuple[str, ...] = (),
    without: Sequence[str] = (),
    what_if: Sequence[str] = (),
) -> PlannedRun:
    """Trace, check and place a pipeline. `without`: sites that take no work.

    Raises WrongUsage, ProjectInvalid, PipelineInvalid, PlacementImpossible, PolicyDenied
    `label.lowering`.
    """
    spec = site.project.spec
    name = pipeline or _only_pipeline(site)
    if name not in spec.pipelines:
        raise WrongUsage(
            f"there is no pipeline '{name}'",
            why=f"the project has {', '.join(spec.pipelines) or 'none'}",
            hint="name one of these, or add it to `pipelines` in freehold.yaml",
            code="usage.pipeline",
        )
    pipelines = load_pipelines(site.project)
    graph = replace(traced(site.project, pipelines[name], values), name=name)
    graph.check()
    codecs().check(graph)
    _require_contracts(site, name, graph, pipelines)
    options = options_of(site, cache, cause)
    try:
        forecasts = preview(graph, site.state, site.artifacts, options)
    except SyntaxError:
        require_readable(graph, options.sources)
        raise
    known = Forecasts(
        graph,
        frozenset(one.step for one in forecasts if one.action != "cached"),
        {one.step: one.outputs for one in forecasts if one.action == "cached"},
        {one.step: one.lacking for one in forecasts if one.lacking},
    )
    code = digest_of({m: sha256(data).hexdigest() for m, data in options.sources.items()})
    left_out = tuple(dict.fromkeys(without))
    chosen, labels = _placed(site, known, (*(f"down={one}" for one in left_out), *what_if))
    lowered = require_consent(site.project, graph, code, labels)
    places = {} if chosen is None else chosen.placed.places
    assumed = {
        "code": code,
        "environment": options.environment,
        # Those that its code says today, too: what is recorded bears an older one beside them.
        "labels": digest_of(
            {
                node.name: [dict(node.step.labels), dict(labels[node.name].makes)]
                for node in graph.nodes
            }
        ),
        "policies": policies_digest(site.project),
    }
    if chosen is not None:
        assumed["prices"] = prices_digest(site.project)
        assumed["sites"] = sites_digest(spec)
    plan = RunPlan(
        pipeline=name,
        parameters=plain(graph.parameters),
        steps=tuple(_planned(one, places.get(one.step, Place(spec.site))) for one in forecasts),
        model=next((m for m, one in spec.models.items() if one.pipeline == name), ""),
        assumed=assumed,
        without=left_out,
        placed=None if chosen is None else chosen.placed,
        wait=None if chosen is None else chosen.wait,
    )
    return PlannedRun(plan, graph, options, places, lowered)


def _placed(
    site: Site, known: Forecasts, what_if: Sequence[str]
) -> tuple[Chosen | None, Mapping[str, StepLabels]]:
    if is_placed(site.project.spec):
        chosen = choose(site, known, what_if)
        return chosen, chosen.labels
    if what_if:
        raise WrongUsage(
            "there is nothing to choose",
            why="no site of the project states its machines, so every step runs here",
            hint="add `machines:` to the sites in freehold.yaml",
            code="usage.what-if",
        )
    labels = labels_of(known.graph, recorded_labels(site, known))
    require_home(laws_of(site.project, known.graph), known.graph, labels, site.name)
    return None, labels


def _planned(one: Forecast, place: Place) -> PlannedStep:
    return PlannedStep(one.step, one.function, one.action, one.reasons, one.where, place)


def _require_contracts(
    site: Site, name: str, graph: Graph, pipelines: Mapping[str, Pipeline[..., Any]]
) -> None:
    """Raises ProjectInvalid unless each can be read and names a step of some pipeline."""
    contracts_of(site.project)
    if not unknown_steps(site.project, [graph]):
        return
    others = [
        traced(site.project, pipeline, stand_ins(pipeline))
        for other, pipeline in pipelines.items()
        if other != name
    ]
    faults = unknown_steps(site.project, [graph, *others])
    if faults:
        raise ProjectInvalid("the project's contracts do not fit its steps", faults=faults)


def _only_pipeline(site: Site) -> str:
    """The pipeline of the only model, or the only pipeline."""
    spec = site.project.spec
    names = [model.pipeline for model in spec.models.values()] or list(spec.pipelines)
    if len(set(names)) != 1:
        raise WrongUsage(
            "which pipeline?",
            why=f"the project has {', '.join(spec.pipelines) or 'none'}",
            hint="name one: `freehold run NAME`",
            code="usage.pipeline",
        )
    return names[0]
