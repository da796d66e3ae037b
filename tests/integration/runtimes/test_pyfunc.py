"""Any MLflow package by its Python function: ours, others', and in another environment."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from freehold.adapters.isolation.runtime import PyfuncRuntime
from freehold.adapters.isolation.settings import ProcessSettings
from freehold.adapters.sklearn.codec import EstimatorCodec
from freehold.adapters.sklearn.framework import SklearnFramework
from freehold.catalog.package import PackageContents, assemble, unpack
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.domain.errors import FreeholdError
from freehold.endpoint.adapters import model_runtime

COLUMNS = Columns(
    (Column("carrier", "category", ("UA", "B6", "EV")), Column("hour", "number")),
)


def _rows(count: int, seed: int) -> Any:
    random = np.random.default_rng(seed)
    matrix = np.column_stack([random.integers(0, 3, count), random.integers(0, 24, count)])
    matrix = matrix.astype(np.float32)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return matrix


def _write(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_our_own_packages_give_the_frameworks_numbers(tmp_path: Path) -> None:
    rows = _rows(400, 1)
    labels = np.nan_to_num(rows[:, 1]) + 8 * (rows[:, 0] == 2) > 14
    fitted = HistGradientBoostingClassifier(max_iter=5, categorical_features=[0]).fit(rows, labels)
    model, framework = EstimatorCodec().encode(fitted), SklearnFramework()
    contents = PackageContents(
        model=model,
        flavor=framework.flavor(model),
        columns=COLUMNS,
        profile={"rows": 400},
        python=python_version(),
    )
    folder = _write(unpack(assemble(contents).data), tmp_path / "package")
    asked = _rows(300, 2)
    answer = PyfuncRuntime(ProcessSettings(deadline=60)).load(folder).predict(asked)
    assert np.array_equal(answer, fitted.predict_proba(asked)[:, 1])


_BY_MLFLOW = """
import json, sys
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature


class Late(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        assert str(model_input["hour"].dtype) == "int64"
        late = model_input["carrier"].map({"EV": 0.5}).fillna(0.25).to_numpy()
        return late + model_input["hour"].to_numpy() / 100


frame = pd.DataFrame({"carrier": ["EV", "UA"], "hour": [23, 4]})
signature = infer_signature(frame, np.array([0.5, 0.5]))
mlflow.pyfunc.save_model(
    sys.argv[1], python_model=Late(), signature=signature, pip_requirements=[]
)
print(json.dumps(mlflow.pyfunc.load_model(sys.argv[1]).predict(frame).tolist()))
"""


def test_a_package_that_mlflow_wrote_is_asked_through_mlflow(tmp_path: Path) -> None:
    """With a schema that wants whole numbers, which a matrix of floats has not."""
    folder = tmp_path / "package"
    done = subprocess.run(
        [sys.executable, "-c", _BY_MLFLOW, str(folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (folder / "columns.json").write_bytes(canonical(COLUMNS.as_json()))
    model = PyfuncRuntime(ProcessSettings(deadline=120)).load(folder)
    answer = model.predict(np.array([[2, 23], [0, 4]], dtype=np.float32))
    assert answer.tolist() == json.loads(done.stdout.splitlines()[-1]) == [0.73, 0.29]


@pytest.fixture
def elsewhere(tmp_path: Path) -> str:
    """Another environment: it has what this one has, and a library of its own; not Freehold."""
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    here = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "pandas", "pandas.libs", "dateutil", "six.py", "pytz"):
        if (here / name).exists():
            (packages / name).symlink_to(here / name)
    (packages / "only_there.py").write_text("WORTH = 0.625\n")
    return str(place / "bin/python")


def test_the_process_may_be_of_another_environment(
    elsewhere: str,
    harmful_files: dict[str, bytes],
    row: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loader = (
        b"import importlib.util, only_there\n"
        b"assert importlib.util.find_spec('freehold') is None\n"
        b"class Model:\n"
        b"    def predict(self, table):\n"
        b"        return [only_there.WORTH] * len(table)\n"
        b"def _load_pyfunc(path):\n"
        b"    return Model()\n"
    )
    folder = _write({**harmful_files, "code/harmful.py": loader}, tmp_path / "package")
    monkeypatch.setenv("FREEHOLD_MODEL_PYTHON", elsewhere)
    assert model_runtime("pyfunc").load(folder).predict(row()).tolist() == [0.625]
    monkeypatch.delenv("FREEHOLD_MODEL_PYTHON")
    with pytest.raises(FreeholdError) as caught:
        model_runtime("pyfunc").load(folder)
    assert "only_there" in caught.value.why


def test_a_package_with_nothing_but_a_function_is_served_by_it(
    harmful_files: dict[str, bytes], row: Callable[..., Any], tmp_path: Path
) -> None:
    folder = _write(harmful_files, tmp_path / "package")
    manifest = json.loads((folder / "MLmodel").read_bytes())
    manifest["flavors"]["fortran"] = {}
    (folder / "MLmodel").write_text(json.dumps(manifest))
    model = model_runtime("auto").load(folder)
    assert model.predict(row(number=5.0)).tolist() == [2.5]
    assert os.getpid() != model.pid  # type: ignore[attr-defined]
