"""What is served is what the library itself predicts, whatever the framework, over the endpoint."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from platform import python_version
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from freehold.adapters.auto.runtime import AutoRuntime, suited
from freehold.adapters.isolation.runtime import PyfuncRuntime
from freehold.adapters.isolation.settings import ProcessSettings
from freehold.adapters.lightgbm.codec import BoosterCodec as LightGBMCodec
from freehold.adapters.lightgbm.framework import LightGBMFramework
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.adapters.sklearn.codec import EstimatorCodec
from freehold.adapters.sklearn.framework import SklearnFramework
from freehold.adapters.xgboost.codec import BoosterCodec as XGBoostCodec
from freehold.adapters.xgboost.framework import XGBoostFramework
from freehold.catalog.package import PackageContents, assemble, unpack
from freehold.domain.columns import Column, Columns
from freehold.domain.errors import AdapterMissing, IntegrityError
from freehold.ports.model_converter import TOLERANCE

CARRIERS = ("AA", "UA", "DL", "é 😀", "")
COLUMNS = Columns(
    (
        Column("distance", "number"),
        Column("carrier", "category", CARRIERS),
        Column("hour", "number"),
        Column("direct", "number"),
    )
)
SHORT = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _training() -> tuple[Any, Any]:
    random = np.random.default_rng(3)
    matrix = random.uniform(0, 1, (600, 4))
    matrix[:, 1] = random.integers(0, len(CARRIERS), 600)
    labels = matrix[:, 0] + (matrix[:, 1] == 2) + matrix[:, 2] + 0.3 * matrix[:, 3] > 1.2
    matrix = (matrix * (3000, 1, 24, 2)).astype(np.float32)
    matrix[:, 2:] = np.floor(matrix[:, 2:])
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return matrix, labels


def _lightgbm() -> tuple[Any, bytes, Callable[[Any], Any]]:
    matrix, labels = _training()
    rows = lightgbm.Dataset(matrix, labels, categorical_feature=[1], params={"verbose": -1})
    given = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_per_group": 5}
    model = lightgbm.train(given, rows, 15)
    return LightGBMFramework(), LightGBMCodec().encode(model), model.predict


def _xgboost() -> tuple[Any, bytes, Callable[[Any], Any]]:
    matrix, labels = _training()

    def table(rows: Any, labels: Any = None) -> Any:
        kinds = ["q", "c", "q", "q"]
        return xgboost.DMatrix(rows, labels, feature_types=kinds, enable_categorical=True)

    given = {"objective": "binary:logistic", "nthread": 1}
    model = xgboost.train(given, table(matrix, labels), 15)
    return XGBoostFramework(), XGBoostCodec().encode(model), lambda rows: model.predict(table(rows))


def _sklearn(estimator: Any) -> tuple[Any, bytes, Callable[[Any], Any]]:
    matrix, labels = _training()
    model = estimator.fit(matrix, labels)
    encoded = EstimatorCodec().encode(model)
    return SklearnFramework(), encoded, lambda rows: model.predict_proba(rows)[:, 1]


MAKERS: dict[str, Callable[[], tuple[Any, bytes, Callable[[Any], Any]]]] = {
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "boosting": lambda: _sklearn(
        HistGradientBoostingClassifier(max_iter=10, categorical_features=[1], random_state=1)
    ),
    "forest": lambda: _sklearn(RandomForestClassifier(10, random_state=1)),
}


BY_ONNX = "lightgbm by ONNX Runtime"
BY_MLFLOW = "forest by mlflow.pyfunc"
"""Each is the model before the first blank, answered otherwise."""
NEAR = {BY_ONNX: TOLERANCE}
"""Of a score, where the runtime works with 32 bits; all others give the library's own numbers."""


@dataclass(frozen=True)
class Served:
    files: dict[str, bytes]
    own: Callable[[Any], Any]
    """The library's predict, of the model as it was trained."""


@pytest.fixture(scope="module")
def served_of() -> Callable[[str], Served]:
    made: dict[str, Served] = {}

    def make(name: str) -> Served:
        if name not in made:
            framework, model, own = MAKERS[name.split()[0]]()
            contents = PackageContents(
                model=model,
                flavor=framework.flavor(model),
                columns=COLUMNS,
                profile={"rows": 600},
                python=python_version(),
                onnx=OnnxConverter().convert(model, 4) if name == BY_ONNX else None,
            )
            made[name] = Served(unpack(assemble(contents).data), own)
        return made[name]

    return make


_FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
_NUMBERS = st.one_of(
    st.none(), st.integers(-(2**53), 2**53), _FLOATS, st.sampled_from([0.0, -0.0, 12.0, 1500.0])
)
_ROW = st.tuples(
    _NUMBERS,
    st.one_of(st.none(), st.sampled_from(CARRIERS), st.text(max_size=3)),
    _NUMBERS,
    st.one_of(st.none(), st.booleans()),
)
_ROWS = st.lists(_ROW, min_size=1, max_size=12)


def _matrix(rows: list[tuple[Any, ...]]) -> Any:
    """Written out, so that it does not share a fault with what is tested."""
    matrix = np.full((len(rows), 4), np.nan, dtype=np.float64)
    for place, (distance, carrier, hour, direct) in enumerate(rows):
        for column, value in ((0, distance), (2, hour), (3, direct)):
            if value is not None:
                matrix[place, column] = float(value)
        if carrier in CARRIERS:
            matrix[place, 1] = CARRIERS.index(carrier)
    return matrix.astype(np.float32)


def _tensors(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    inputs = []
    for place, (name, kind) in enumerate(
        (("distance", "FP64"), ("carrier", "BYTES"), ("hour", "FP64"), ("direct", "BOOL"))
    ):
        data = [row[place] for row in rows]
        inputs.append({"name": name, "datatype": kind, "shape": [len(rows)], "data": data})
    return {"inputs": inputs}


@pytest.mark.parametrize("name", [*MAKERS, BY_ONNX, BY_MLFLOW])
def test_served_numbers_are_the_librarys_own(
    name: str, served_of: Any, site: Any, client_of: Any
) -> None:
    served = served_of(name)
    site.runtime = (
        PyfuncRuntime(ProcessSettings(deadline=60)) if name == BY_MLFLOW else AutoRuntime()
    )
    site.package(1, served.files)
    site.route((1, 100.0, "champion"))
    client = client_of()
    near = NEAR.get(name, 0.0)

    @given(_ROWS)
    @SHORT
    def same(rows: list[tuple[Any, ...]]) -> None:
        own = np.asarray(served.own(_matrix(rows)), dtype=np.float64).tolist()
        assert client.infer(_tensors(rows)).output("score") == pytest.approx(own, rel=0, abs=near)
        names = ("distance", "carrier", "hour", "direct")
        plain = [dict(zip(names, row, strict=True)) for row in rows]
        reply = client.ask("POST", "/v1/models/delay/predict", json.dumps(plain).encode())
        assert [row["score"] for row in reply.json] == pytest.approx(own, rel=0, abs=near)

    same()


def test_the_package_says_which_runtime(served_of: Any, tmp_path: Any) -> None:
    def loaded(files: dict[str, bytes]) -> str:
        for path, data in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        return type(AutoRuntime().load(tmp_path)).__name__

    assert loaded(served_of("xgboost").files) == "XGBoostPredictor"
    assert loaded(served_of("forest").files) == "SklearnPredictor"
    files = served_of("lightgbm").files
    assert loaded(files) == "LightGBMPredictor"
    manifest = files["MLmodel"].replace(b"flavors:\n", b"flavors:\n  onnx:\n    data: 1\n")
    model = OnnxConverter().convert(files["model.lgb/model.txt"], 4)
    assert loaded({"MLmodel": manifest, "model.onnx": model}) == "OnnxPredictor"
    # A folder with nothing but an ONNX model needs no manifest.
    (tmp_path / "MLmodel").unlink()
    assert loaded({}) == "OnnxPredictor"
    (tmp_path / "model.onnx").unlink()
    for manifest, code in ((None, "incomplete"), (b"[", "unreadable"), (b"{}", "unreadable")):
        with pytest.raises(IntegrityError) as caught:
            loaded({} if manifest is None else {"MLmodel": manifest})
        assert caught.value.code == f"package.{code}"
    with pytest.raises(AdapterMissing) as missing:
        loaded({"MLmodel": b"flavors: {fortran: {}}"})
    assert "freehold[fortran]" in missing.value.hint


def test_the_order_is_onnx_then_the_framework_then_a_python_function() -> None:
    assert suited({"python_function": {}, "xgboost": {}, "onnx": {}}) == (
        "onnx",
        "xgboost",
        "pyfunc",
    )
    assert suited({}) == ()
