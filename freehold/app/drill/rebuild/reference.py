"""The run that is rebuilt: what it made, read from production, or made now to be compared with."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freehold.app.drill.offline.places import Places
from freehold.app.drill.production import begun_sites
from freehold.app.drill.project_copy import copy_project
from freehold.app.drill.rebuild.anew import RebuildOrders
from freehold.app.drill.rebuild.made import Made, evaluation_table, graph_of, made_by
from freehold.app.drill.rebuild.process import run_anew
from freehold.app.project.reading import OpenProject
from freehold.app.run.runs import known_run, parameters_of
from freehold.app.site.opening import Site, open_site
from freehold.domain.errors import Conflict, FreeholdError, NotFound
from freehold.domain.labels import inherited

Tell = Callable[[str], None]
NOW = "now"
"""In a run's place: make one with today's code, to be compared with."""


@dataclass(frozen=True)
class Reference:
    made: Made
    site: str
    parameters: Mapping[str, Any]
    table: Path | None
    """Rows that both models score."""
    labels: Mapping[str, str]
    """Of what the run read and made, and what its steps as they are today would add."""


def reference_of(
    project: OpenProject, run: str, folder: Path, places: Places | None, tell: Tell
) -> Reference:
    """`run`: its name, `now`, or empty for the latest. `folder`: for copies and rows.

    Raises NotFound `drill.no-run`, `run.unknown`, Conflict `drill.unfinished-run`.
    """
    begun = begun_sites(project)
    if run == NOW or (not run and not begun):
        return _reference_now(project, folder, places, tell)
    if not begun:
        raise _no_run(f"there is no run {run}")
    with open_site(project.root, site=begun[0]) as site:
        row = known_run(site, run) if run else _latest(site)
        if row is None:
            raise _no_run("no run of this project has finished")
        if row["status"] != "finished":
            raise Conflict(
                f"run {row['run']} has not finished",
                why=f"it is {row['status']}",
                hint="`freehold run --resume` goes on with it; `freehold runs` lists the others",
                code="drill.unfinished-run",
            )
        parameters = parameters_of(site, row)
        copy = folder / "read"
        copy_project(project.root, copy)
        bare = made_by(site, row["run"], row["pipeline"], None)
        traced = replace(site, project=replace(site.project, root=copy))
        graph = graph_of(traced, row["pipeline"], parameters)
        labels = inherited([bare.labels, *(node.step.labels for node in graph.nodes)])
        if {node.name for node in graph.nodes} != set(bare.steps):
            # The process that runs it names what changed.
            return Reference(bare, site.name, parameters, None, labels)
        with _said_if_missing(site, row["run"]):
            table = evaluation_table(site, bare, graph)
            if table is None:
                return Reference(bare, site.name, parameters, None, labels)
            path = folder / "rows.parquet"
            table.write_parquet(path)
            made = made_by(site, row["run"], row["pipeline"], table)
        return Reference(made, site.name, parameters, path, labels)


@contextmanager
def _said_if_missing(site: Site, run: str) -> Iterator[None]:
    """A run of another site is known here before anything that it made is."""
    try:
        yield
    except FreeholdError as error:
        if error.code != "artifact.missing":
            raise
        raise NotFound(
            f"not all that run {run} made is at {site.name}",
            why=error.what,
            hint=f"`freehold fetch {run}` asks for it; or name a run that was made here: --run RUN",
            code="artifact.missing",
        ) from error


def _reference_now(
    project: OpenProject, folder: Path, places: Places | None, tell: Tell
) -> Reference:
    """Today's code on this site's twin, with its objects in a folder."""
    here = project.spec.site if project.spec.site in project.spec.sites else project.site_names[0]
    pipelines = {one.pipeline for one in project.spec.models.values()} or {*project.spec.pipelines}
    if len(pipelines) != 1:
        raise _no_run("no run of this project has finished, and it has several pipelines")
    tell(f"{here} makes a run with today's code first, to be compared with")
    rows = folder / "rows.parquet"
    orders = RebuildOrders(
        root=str(folder / "reference"),
        site=here,
        pipeline=pipelines.pop(),
        parameters={},
        table=str(rows),
    )
    copy_project(project.root, Path(orders.root))
    made = Made.from_json(run_anew(orders, folder / "reference.json", places)["made"])
    return Reference(made, here, {}, rows if rows.exists() else None, made.labels)


def _latest(site: Site) -> dict[str, Any] | None:
    """Of those that made a model, or of all where no pipeline does."""
    models = {one.pipeline for one in site.project.spec.models.values()}
    done = [row for _, row in site.state.scan("runs") if row["status"] == "finished"]
    rows = [row for row in done if row["pipeline"] in models] or done
    return max(rows, key=lambda row: (row["started"], row["run"]), default=None)


def _no_run(what: str) -> NotFound:
    return NotFound(
        what,
        why="a rebuild is compared with a run that has finished",
        hint="`freehold run` makes one; `freehold runs` lists them",
        code="drill.no-run",
    )
