"""Packages of XGBoost and scikit-learn are loaded by MLflow where Freehold is not installed."""

import json
import subprocess
import sys
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np
import polars as pl
import pytest
import xgboost
from sklearn.ensemble import RandomForestClassifier

from freehold.adapters.sklearn.codec import EstimatorCodec
from freehold.adapters.sklearn.framework import SklearnFramework
from freehold.adapters.xgboost.codec import BoosterCodec
from freehold.adapters.xgboost.framework import XGBoostFramework
from freehold.catalog.package import PackageContents, assemble, unpack
from freehold.domain.columns import Column, Columns

COLUMNS = Columns((Column("carrier", "category", ("UA", "B6", "EV")), Column("hour", "number")))
_ELSEWHERE = """
import importlib, json, sys

class NoFreehold:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "freehold":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoFreehold())
import pandas, mlflow
folder, table, flavor = sys.argv[1:]
frame = pandas.read_parquet(table)
model = mlflow.pyfunc.load_model(folder)
own = importlib.import_module("mlflow." + flavor).load_model(folder)
print(json.dumps({
    "answer": model.predict(frame).tolist(),
    "absent": model.predict(frame[["hour"]]).tolist(),
    "own": type(own).__name__,
}))
"""


def _table(rows: int, seed: int) -> tuple[pl.DataFrame, Any]:
    random = np.random.default_rng(seed)
    carrier = random.choice(["UA", "B6", "EV", "ZZ"], rows)
    hour = np.where(random.random(rows) < 0.1, np.nan, random.integers(0, 24, rows))
    labels = (carrier == "EV") + np.nan_to_num(hour) / 24 + random.normal(size=rows) / 3 > 0.8
    return pl.DataFrame({"carrier": carrier, "hour": hour}, nan_to_null=True), labels


def _xgboost() -> tuple[Any, bytes]:
    table, labels = _table(400, 1)
    rows = xgboost.DMatrix(
        COLUMNS.matrix(table), labels, feature_types=["c", "q"], enable_categorical=True
    )
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, rows, 8)
    return XGBoostFramework(), BoosterCodec().encode(model)


def _sklearn() -> tuple[Any, bytes]:
    table, labels = _table(400, 1)
    model = RandomForestClassifier(5, random_state=1).fit(COLUMNS.matrix(table), labels)
    return SklearnFramework(), EstimatorCodec().encode(model)


@pytest.mark.parametrize(
    ("make", "own"), [(_xgboost, "Booster"), (_sklearn, "RandomForestClassifier")]
)
def test_mlflow_loads_it_where_freehold_is_not(make: Any, own: str, tmp_path: Path) -> None:
    framework, model = make()
    contents = PackageContents(
        model=model,
        flavor=framework.flavor(model),
        columns=COLUMNS,
        profile={"rows": 400},
        python=python_version(),
    )
    payload = assemble(contents)
    assert assemble(contents).digest == payload.digest
    folder = tmp_path / "payload"
    for name, data in unpack(payload.data).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    table = _table(200, 2)[0]
    table.write_parquet(tmp_path / "table.parquet")
    command = [sys.executable, "-c", _ELSEWHERE, str(folder)]
    command += [str(tmp_path / "table.parquet"), framework.name]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    absent = table.with_columns(carrier=pl.lit(None, dtype=pl.String))
    assert said["answer"] == framework.predict(model, COLUMNS.matrix(table)).tolist()
    assert said["absent"] == framework.predict(model, COLUMNS.matrix(absent)).tolist()
    assert said["own"] == own
    assert {path.name for path in folder.rglob("*.pyc")} == set()
