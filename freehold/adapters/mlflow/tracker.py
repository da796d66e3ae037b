"""Runs, metrics, plots and packages in MLflow, by MLflow's own client."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.utils.time import get_current_time_millis
from sqlalchemy.orm import configure_mappers

from freehold.adapters.mlflow.plots import reliability_plot, strengths_plot
from freehold.domain.errors import AdapterFailed
from freehold.ports.tracker import Tracked, TrackedRun, Tracker

with warnings.catch_warnings():
    # MLflow 3.17 describes its tables in words that SQLAlchemy 2.1 calls deprecated.
    warnings.simplefilter("ignore")
    import mlflow.store.db.utils
    import mlflow.store.tracking.sqlalchemy_store

    configure_mappers()

# MLflow tries ten times to open a store, for three minutes; a mirror may not hold up a run so long.
mlflow.store.db.utils.MAX_RETRY_COUNT = 3

_BATCH = 100
"""Parameters, and tags, that MLflow takes in one call (`mlflow.utils.validation`)."""
_LONGEST = 6000
"""Characters of a parameter's value that MLflow keeps."""


class MlflowTracker(Tracker):
    """Keeps runs in the store at `uri` (`sqlite:///…` or a server) and files below `artifacts`.

    The artifact folder of an experiment is settled when the experiment is first made. Thread-safe.
    """

    def __init__(self, uri: str, artifacts: Path) -> None:
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._uri = uri
        self._artifacts = artifacts

    @classmethod
    def open(cls, location: str, folder: Path) -> "MlflowTracker":
        """Without a location, a store of its own: `mlflow.db` in the folder."""
        return cls(location or f"sqlite:///{folder / 'mlflow.db'}", folder / "tracking")

    def record(self, run: TrackedRun) -> Tracked:
        try:
            return self._record(MlflowClient(tracking_uri=self._uri, registry_uri=self._uri), run)
        except Exception as exc:  # MLflow, SQLAlchemy and the disk: each has errors of its own
            raise AdapterFailed(
                f"MLflow did not take the run {run.name!r}",
                why=f"{type(exc).__name__}: {exc}",
                code="tracker.failed",
                hint="the run itself is not affected: MLflow is a mirror",
            ) from exc

    def _record(self, client: MlflowClient, run: TrackedRun) -> Tracked:
        experiment = self._experiment(client, run.experiment)
        started = client.create_run(experiment, run_name=run.name).info.run_id
        try:
            _log_values(client, started, run)
            with TemporaryDirectory() as folder:
                _write(Path(folder), {**_plots(run), **run.files})
                client.log_artifacts(started, folder)
            version = _log_package(client, experiment, started, run) if run.package else ""
        except BaseException:
            client.set_terminated(started, "FAILED")
            raise
        client.set_terminated(started, "FINISHED")
        return Tracked(started, version)

    def _experiment(self, client: MlflowClient, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is None:
            place = (self._artifacts / name).absolute()
            try:
                return str(client.create_experiment(name, artifact_location=place.as_uri()))
            except MlflowException as exc:
                if not _exists_already(exc):
                    raise
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)


def _log_values(client: MlflowClient, run_id: str, run: TrackedRun) -> None:
    now = get_current_time_millis()  # type: ignore[no-untyped-call]
    metrics = [Metric(name, float(value), now, 0) for name, value in run.metrics.items()]
    for name, values in run.curves.items():
        metrics += [Metric(name, float(value), now, at) for at, value in enumerate(values)]
    parameters = [Param(name, str(value)[:_LONGEST]) for name, value in run.parameters.items()]
    tags = [RunTag(name, value) for name, value in run.tags.items()]
    for at in range(0, max(len(metrics), len(parameters), len(tags)), _BATCH):
        part = slice(at, at + _BATCH)
        client.log_batch(run_id, metrics[part], parameters[part], tags[part])


def _log_package(client: MlflowClient, experiment: str, run_id: str, run: TrackedRun) -> str:
    """Registers our own folder as it is; MLflow's `log_model` would make another one.

    Returns MLflow's version number, or "" when the run names no model.
    """
    logged = client.create_logged_model(experiment, run.model or "model", source_run_id=run_id)
    with TemporaryDirectory() as folder:
        _write(Path(folder), run.package)
        client.log_model_artifacts(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, "READY")
    if not run.model:
        return ""
    try:
        client.create_registered_model(run.model)
    except MlflowException as exc:
        if not _exists_already(exc):
            raise
    # By its place, not as `models:/…`: MLflow would look that up in its global store, and make one.
    version = client.create_model_version(
        run.model, logged.artifact_location, run_id=run_id, model_id=logged.model_id
    ).version
    if run.alias:
        client.set_registered_model_alias(run.model, run.alias, version)
    return str(version)


def _plots(run: TrackedRun) -> dict[str, bytes]:
    plots = {}
    if run.reliability:
        plots["plots/reliability.svg"] = reliability_plot(run.reliability)
    if run.strengths:
        plots["plots/strengths.svg"] = strengths_plot(run.strengths)
    return plots


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _exists_already(exc: MlflowException) -> bool:
    return bool(exc.error_code == ErrorCode.Name(RESOURCE_ALREADY_EXISTS))
