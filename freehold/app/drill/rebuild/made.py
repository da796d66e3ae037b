"""What a run made, wherever it ran: the digests of all artifacts, and the model in figures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl

from freehold.app.model.scoring import PackagedModel
from freehold.app.project.loading import load_pipelines, traced
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.catalog.versions import version_of_run
from freehold.domain.artifact import Artifact
from freehold.domain.candidate import Candidate
from freehold.domain.errors import NotFound, NotSupported
from freehold.domain.graph import Graph, Reference, substitute
from freehold.running.projection import steps_of

UNLIKE = frozenset({"auc_over_champion"})
"""A figure that depends on what else serves at a site, and so says nothing about the model."""


@dataclass(frozen=True)
class MadeStep:
    digests: tuple[str, ...]
    """Of its outputs, in order."""
    sizes: tuple[int, ...]
    code: str
    """Digest of the code that it reached."""
    environment: str


@dataclass(frozen=True)
class Made:
    run: str
    pipeline: str
    steps: Mapping[str, MadeStep]
    package: str = ""
    """Digest of the payload; empty where the pipeline makes no model."""
    figures: Mapping[str, float] = field(default_factory=dict)
    allowed: bool | None = None
    scores: Sequence[float] = ()
    """Of the reference's evaluation table."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of all that the run read and made."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Made":
        steps = {
            name: MadeStep(tuple(s["digests"]), tuple(s["sizes"]), s["code"], s["environment"])
            for name, s in value["steps"].items()
        }
        return cls(**{**value, "steps": steps})


def made_by(site: Site, run: str, pipeline: str, table: pl.DataFrame | None) -> Made:
    """Of a finished run of this site. `table`: rows to be scored by its version, if it made one.

    Raises IntegrityError for a package that is not here.
    """
    steps = {
        name: MadeStep(
            tuple(one["digest"] for one in row["outputs"]),
            tuple(one["size"] for one in row["outputs"]),
            row["components"]["code"],
            row["components"]["environment"],
        )
        for name, row in steps_of(site.state, run).items()
        if row["status"] == "finished"
    }
    labels = Labelled(site.state).of_run(run)
    version = version_of_run(site.state, run)
    if version is None:
        return Made(run, pipeline, steps, labels=labels)
    scores = [] if table is None else PackagedModel(site, version).scores(table).tolist()
    figures = {name: one for name, one in version.headline.items() if name not in UNLIKE}
    return Made(run, pipeline, steps, version.package, figures, version.allowed, scores, labels)


def graph_of(site: Site, pipeline: str, parameters: Mapping[str, Any]) -> Graph:
    """Raises NotFound for a pipeline that the project no longer has."""
    pipelines = load_pipelines(site.project)
    if pipeline not in pipelines:
        raise NotFound(
            f"the project has no pipeline '{pipeline}' any more",
            why=f"it has {', '.join(pipelines)}",
            hint="`--run now` compares with a run of today's code",
            code="drill.code-changed",
        )
    return traced(site.project, pipelines[pipeline], parameters)


def evaluation_table(site: Site, made: Made, graph: Graph) -> pl.DataFrame | None:
    """The table that the run's model was measured on; None where it made no candidate."""
    candidate = graph.result
    if not isinstance(candidate, Candidate):
        return None

    def digest(found: Reference) -> str:
        return made.steps[found.node].digests[found.output]

    found = substitute(candidate.evaluation, digest)
    if isinstance(found, Artifact | str):
        name = found if isinstance(found, str) else found.digest
        return pl.read_parquet(BytesIO(site.artifacts.get(name)))
    raise NotSupported(
        "the candidate's evaluation table was not made by a step",
        why="only what a step made can be read back",
        hint="let a step return it",
        code="candidate.not-an-artifact",
    )


def largest_difference(left: Sequence[float], right: Sequence[float]) -> float:
    """Between scores of the same rows."""
    if len(left) != len(right):
        return float("inf")
    return float(np.max(np.abs(np.subtract(left, right)))) if left else 0.0
