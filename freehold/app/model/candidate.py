"""A run's Candidate, read back from its artifacts and measured."""

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from freehold.app import adapters
from freehold.app.site.opening import Site
from freehold.domain.artifact import Artifact
from freehold.domain.candidate import Candidate
from freehold.domain.columns import Columns
from freehold.domain.errors import Fault, PipelineInvalid
from freehold.ports.model_framework import KnowsColumns, ModelFramework


@dataclass(frozen=True)
class TrainedModel:
    """What a pipeline made, in memory."""

    data: bytes
    """The model as its framework stored it."""
    framework: ModelFramework
    columns: Columns
    training: pl.DataFrame
    evaluation: pl.DataFrame
    candidate: Candidate

    @property
    def labels(self) -> NDArray[np.float64]:
        """Of the evaluation table [n], 0 or 1."""
        return self.evaluation[self.candidate.target].cast(pl.Float64).to_numpy()

    @property
    def scores(self) -> NDArray[np.float64]:
        """On the evaluation table [n], by the framework itself."""
        return self.scores_of(self.evaluation)

    def scores_of(self, table: pl.DataFrame) -> NDArray[np.float64]:
        """Probabilities [n] by the framework itself."""
        return self.framework.predict(self.data, self.columns.matrix(table))

    def contributions(self, rows: int) -> NDArray[np.float64]:
        """SHAP values [at most `rows`, k] of evenly spaced rows of the evaluation table."""
        every = max(1, -(-self.evaluation.height // rows))
        matrix = self.columns.matrix(self.evaluation.gather_every(every))
        return self.framework.contributions(self.data, matrix)


def read_candidate(site: Site, candidate: Candidate) -> TrainedModel:
    """Raises IntegrityError for damaged artifacts, PipelineInvalid for what is no candidate."""
    model = _artifact(candidate.model, "model")
    framework = adapters.load("model_framework", model.format)()
    trained = TrainedModel(
        data=site.artifacts.get(model.digest),
        framework=framework,
        columns=Columns.from_json(_document(site, candidate.columns)),
        training=_table(site, candidate.training, "training"),
        evaluation=_table(site, candidate.evaluation, "evaluation"),
        candidate=candidate,
    )
    wanted = {candidate.target, *candidate.groups, *trained.columns.names}
    faults = [
        Fault("candidate.column", f"the {name} table has no column '{column}'")
        for name, table in (("training", trained.training), ("evaluation", trained.evaluation))
        for column in sorted(wanted - set(table.columns) - set(candidate.groups))
    ]
    faults += [
        Fault("candidate.column", f"the evaluation table has no column '{column}'")
        for column in candidate.groups
        if column not in trained.evaluation.columns
    ]
    if isinstance(framework, KnowsColumns) and framework.columns(trained.data) != trained.columns:
        what, hint = "the model takes other columns than the candidate has", "give both the same"
        faults.append(Fault("candidate.columns", what, hint=hint))
    if faults:
        raise PipelineInvalid(
            "the candidate's tables do not fit its model", faults=faults, code="candidate.columns"
        )
    return trained


def evaluation_of(site: Site, candidate: Candidate) -> pl.DataFrame:
    """The table that a candidate is measured on. Raises IntegrityError, PipelineInvalid."""
    return _table(site, candidate.evaluation, "evaluation")


def _artifact(value: Any, what: str) -> Artifact:
    if not isinstance(value, Artifact):
        raise PipelineInvalid(
            f"the candidate's {what} was not made by a step",
            why="only what a step made has a digest and a lineage",
            hint="let a step return it",
            code="candidate.not-an-artifact",
        )
    return value


def _document(site: Site, value: Any) -> Any:
    if isinstance(value, Artifact):
        return json.loads(site.artifacts.get(value.digest))
    return value


def _table(site: Site, value: Any, what: str) -> pl.DataFrame:
    artifact = _artifact(value, f"{what} table")
    return pl.read_parquet(BytesIO(site.artifacts.get(artifact.digest)))
