"""Models that steps made are read back by the libraries that they are of, without Freehold."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression

from freehold import Column, Columns, ModelGraph, ensemble, trained
from freehold.adapters.graph.codec import GraphCodec
from freehold.adapters.sklearn.codec import EstimatorCodec
from freehold.adapters.xgboost.codec import BoosterCodec
from freehold.app.drill.exit import __path__ as exit_path

READER = Path(exit_path[0]).parents[2] / "templates/exit/read_back/open_artifacts.py"


def read(folder: Path, artifacts: dict[str, tuple[str, bytes]]) -> tuple[int, Any]:
    """`artifacts`: format and bytes by path."""
    index = []
    for name, (kind, data) in artifacts.items():
        path = f"artifacts/{name}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        digest = "sha256:" + sha256(data).hexdigest()
        index.append({"path": path, "format": kind, "digest": digest})
    (folder / "artifacts/index.json").write_text(json.dumps(index))
    done = subprocess.run(
        [sys.executable, str(READER), str(folder)], capture_output=True, text=True
    )
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def models() -> dict[str, tuple[str, bytes]]:
    rows = np.random.default_rng(1).normal(size=(60, 2))
    labels = rows[:, 0] > 0
    trees = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(rows, labels), 2
    )
    fitted = LogisticRegression().fit(rows, labels)
    return {
        "one": ("xgboost", BoosterCodec().encode(trees)),
        "two": ("sklearn", EstimatorCodec().encode(fitted)),
    }


def test_they_are_read(models: dict[str, tuple[str, bytes]], tmp_path: Path) -> None:
    code, said = read(tmp_path, models)
    assert (code, said["faults"], said["checks"]) == (0, [], 2)
    assert [one.split()[0] for one in said["read_by"]] == ["XGBoost", "scikit-learn"]


def test_a_graph_is_read_with_the_models_in_it(tmp_path: Path) -> None:
    columns = Columns((Column("a", "number"), Column("b", "number")))
    rows = np.random.default_rng(1).normal(size=(60, 2))
    labels = rows[:, 0] > 0
    trees = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(rows, labels), 2
    )
    both = {
        "trees": trained(trees, columns),
        "line": trained(LogisticRegression().fit(rows, labels), columns),
    }
    data = GraphCodec().encode(ModelGraph(columns, ensemble(both)))
    code, said = read(tmp_path / "whole", {"one": ("graph", data)})
    assert (code, said["faults"]) == (0, [])
    (reader,) = said["read_by"]
    assert "zipfile" in reader and "XGBoost" in reader and "scikit-learn" in reader
    code, said = read(tmp_path / "cut", {"one": ("graph", data[:-100])})
    assert code == 1 and len(said["faults"]) == 1


def test_what_is_no_such_model_is_a_fault(
    models: dict[str, tuple[str, bytes]], tmp_path: Path
) -> None:
    cut = {name: (kind, data[: len(data) // 2]) for name, (kind, data) in models.items()}
    code, said = read(tmp_path, cut)
    assert code == 1 and len(said["faults"]) == 2
