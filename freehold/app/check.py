"""`freehold check`: project file, steps, policies, contracts: all faults at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from freehold.app import adapters
from freehold.app.contract.gate import contracts_of, unknown_steps
from freehold.app.policy.reading import read_policies, read_policy_folder
from freehold.app.project.loading import (
    load_pipelines,
    module_sources,
    require_readable,
    stand_ins,
    traced,
)
from freehold.app.project.reading import OpenProject, find_root, read_project
from freehold.app.release.log_rule import log_faults
from freehold.app.run.placement.ground import ground_of, is_placed
from freehold.app.run.world import codecs
from freehold.app.site.opening import LEDGER, open_site
from freehold.domain.errors import Fault, FreeholdError, PipelineInvalid, ProjectInvalid
from freehold.domain.graph import Graph


@dataclass(frozen=True)
class CheckedProject:
    name: str
    pipelines: dict[str, int]
    """Name → number of steps."""
    contracts: int
    expectations: int
    policies: int


def check_project(start: Path) -> CheckedProject:
    """Raises ProjectInvalid with the faults of every part that could be read."""
    project = read_project(find_root(start))
    faults: list[Fault] = list(_adapter_faults(project))
    graphs: list[Graph] = []
    steps: dict[str, int] = {}
    try:
        for name, pipeline in load_pipelines(project).items():
            graph = traced(project, pipeline, stand_ins(pipeline))
            graphs.append(graph)
            steps[name] = len(graph.nodes)
            faults += graph.all_faults()
            faults += _unstorable(graph)
        faults += unknown_steps(project, graphs)
        sources = module_sources(project.root)
        for graph in graphs:
            require_readable(graph, sources)
    except FreeholdError as error:
        faults += error.faults or [Fault(error.code, error.what, hint=error.hint)]
    suites = []
    try:
        suites = [suite for found in contracts_of(project).values() for suite in found]
    except ProjectInvalid as error:
        faults += error.faults
    modules: Mapping[str, str] = {}
    placement = project.spec.placement
    budgets = [one.policies for one in project.spec.budgets.values()]
    for folder in dict.fromkeys((placement.policies, placement.consent, *budgets)):
        try:
            read_policy_folder(project, folder)
        except ProjectInvalid as error:
            faults += error.faults
    try:
        if is_placed(project.spec):
            ground_of(project)
    except ProjectInvalid as error:
        faults += error.faults
    try:
        modules = read_policies(project).modules
    except ProjectInvalid as error:
        faults += error.faults
    faults += _log_faults(project)
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise ProjectInvalid(
            f"{count} in project {project.spec.project}",
            faults=tuple(dict.fromkeys(faults)),
            hint="mend them and run `freehold check` again",
        )
    return CheckedProject(
        name=project.spec.project,
        pipelines=steps,
        contracts=len(suites),
        expectations=sum(len(suite.expectations) for suite in suites),
        policies=sum(1 for name in modules if not name.endswith("_test.rego")),
    )


def _log_faults(project: OpenProject) -> list[Fault]:
    """Of `endpoint.log`, where there is a history that knows the model's columns."""
    endpoint = project.spec.endpoint
    if endpoint is None or not endpoint.log.personal or not (project.state / LEDGER).exists():
        return []
    try:
        with open_site(project.root) as site:
            return log_faults(site, endpoint.model)
    except FreeholdError as error:
        return list(error.faults) or [Fault(error.code, error.what, hint=error.hint)]


def _adapter_faults(project: OpenProject) -> list[Fault]:
    spec = project.spec
    wanted: list[tuple[str, tuple[str, ...], str]] = [("engine", ("engine",), spec.engine)]
    wanted.append(("solver", ("placement", "solver"), spec.placement.solver))
    if spec.endpoint:
        wanted.append(("model_runtime", ("endpoint", "runtime"), spec.endpoint.runtime))
    if spec.tracking:
        wanted.append(("tracker", ("tracking", "tracker"), spec.tracking.tracker))
    return [
        Fault(
            "adapter.unknown",
            f"no {port.replace('_', ' ')} is named '{name}'",
            project.where(*path),
            f"there are: {', '.join(adapters.names(port))}",
        )
        for port, path, name in wanted
        if name not in adapters.names(port)
    ]


def _unstorable(graph: Graph) -> tuple[Fault, ...]:
    try:
        codecs().check(graph)
    except PipelineInvalid as error:
        return error.faults
    return ()
