"""What the tracker keeps is what MLflow's own client shows and loads."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from freehold.adapters.mlflow.tracker import MlflowTracker
from freehold.catalog.package import unpack
from freehold.ports.tracker import TrackedRun

RUN = TrackedRun(
    experiment="flight delay",
    name="train",
    parameters={"learning_rate": 0.05, "objective": "binary", **{f"p{i}": i for i in range(250)}},
    metrics={"auc": 0.731},
    curves={"validation_auc": (0.6, 0.7, 0.73)},
    reliability=((0.1, 0.12), (0.9, 0.88)),
    strengths={"hour": 0.3, "origin <&>": 0.1},
    files={"card.md": b"# A model\n"},
    model="flight-delay",
    alias="champion",
    tags={"freehold.run": "r-1"},
)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mlflow.db"


def test_the_run_and_the_model_are_there(made: Any, tmp_path: Path, uri: str) -> None:
    tracker = MlflowTracker(uri, tmp_path / "artifacts")
    run = replace(RUN, package=unpack(made.payload.data))
    first, second = tracker.record(run), tracker.record(run)
    assert (first.model_version, second.model_version) == ("1", "2")

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    kept = client.get_run(first.run)
    assert kept.info.status == "FINISHED" and kept.info.run_name == "train"
    assert kept.data.params["learning_rate"] == "0.05" and len(kept.data.params) == 252
    assert kept.data.metrics == {"auc": 0.731, "validation_auc": 0.73}
    assert kept.data.tags["freehold.run"] == "r-1"
    curve = client.get_metric_history(first.run, "validation_auc")
    assert [(point.step, point.value) for point in curve] == [(0, 0.6), (1, 0.7), (2, 0.73)]
    names = {item.path for item in client.list_artifacts(first.run)}
    assert names == {"card.md", "plots"}
    plots = {item.path for item in client.list_artifacts(first.run, "plots")}
    assert plots == {"plots/reliability.svg", "plots/strengths.svg"}
    assert client.get_model_version_by_alias("flight-delay", "champion").version in ("2", 2)
    stored = {path.name for path in tmp_path.iterdir()}
    assert stored == {"mlflow.db", "artifacts"}


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")
def test_mlflow_loads_the_registered_package(made: Any, tmp_path: Path, uri: str) -> None:
    MlflowTracker(uri, tmp_path / "artifacts").record(
        replace(RUN, package=unpack(made.payload.data))
    )
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    frame = made.table.head(200).to_pandas()
    for address in ("models:/flight-delay/1", "models:/flight-delay@champion"):
        answer = mlflow.pyfunc.load_model(address).predict(frame)
        assert np.array_equal(answer, made.expected[:200])


def test_nothing_is_said_and_nothing_else_is_written(tmp_path: Path) -> None:
    """In a process of its own and an empty folder."""
    script = (
        "from pathlib import Path\n"
        "from freehold.adapters.mlflow.tracker import MlflowTracker\n"
        "from freehold.ports.tracker import TrackedRun\n"
        "run = TrackedRun(experiment='e', name='n', metrics={'auc': 0.7}, files={'a': b'b'},\n"
        "    package={'MLmodel': b'flavors: {}'}, model='m')\n"
        "MlflowTracker('sqlite:///site/mlflow.db', Path('site/mlflow')).record(run)\n"
    )
    (tmp_path / "site").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert {path.name for path in (tmp_path / "site").iterdir()} == {"mlflow.db", "mlflow"}
