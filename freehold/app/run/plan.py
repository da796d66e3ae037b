"""`freehold plan`: what a run of a pipeline would do."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from freehold.app.contract.gate import contracts_of, unknown_steps
from freehold.app.project.loading import load_pipelines, require_readable, stand_ins, traced
from freehold.app.run.world import codecs, options_of
from freehold.app.site.opening import Site
from freehold.authoring.pipeline import Pipeline
from freehold.domain.canonical import digest_of
from freehold.domain.errors import ProjectInvalid, WrongUsage
from freehold.domain.graph import Graph
from freehold.domain.json_value import plain
from freehold.domain.placement import Place
from freehold.planning.run_plan import PlannedStep, RunPlan
from freehold.running.preview import preview
from freehold.running.readiness import Options


@dataclass(frozen=True)
class PlannedRun:
    """A plan and what carries it out."""

    plan: RunPlan
    graph: Graph
    options: Options
    places: Mapping[str, Place] = field(default_factory=dict)
    """Step → where it runs; what is not named runs here."""


def plan_run(
    site: Site,
    pipeline: str = "",
    values: Mapping[str, Any] | None = None,
    *,
    cache: bool = True,
    cause: tuple[str, ...] = (),
) -> PlannedRun:
    """Trace and check a pipeline. Raises WrongUsage, ProjectInvalid, PipelineInvalid."""
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
    plan = RunPlan(
        pipeline=name,
        parameters=plain(graph.parameters),
        steps=tuple(
            PlannedStep(f.step, f.function, f.action, f.reasons, f.where, spec.site)
            for f in forecasts
        ),
        model=next((m for m, one in spec.models.items() if one.pipeline == name), ""),
        code=digest_of({m: sha256(data).hexdigest() for m, data in options.sources.items()}),
    )
    return PlannedRun(plan, graph, options)


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
