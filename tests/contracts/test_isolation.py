"""Runtimes in processes of their own hold the laws of the others."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from freehold.adapters.isolation.runtime import IsolatedRuntime, PyfuncRuntime
from freehold.adapters.isolation.settings import ProcessSettings
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.ports.contracts.model_runtime import ModelRuntimeContract

COLUMNS = Columns(
    (
        Column("hour", "number"),
        Column("carrier", "category", ("UA", "B6", "", "é")),
        Column("distance", "number"),
    )
)
WEIGHTS = (0.25, -0.5, 0.125)
LOADER = """
import json, math
from pathlib import Path


class Model:
    def __init__(self, weights):
        self.weights = weights

    def predict(self, table):
        values = ["UA", "B6", "", "é"]
        scores = []
        for hour, carrier, distance in zip(table["hour"], table["carrier"], table["distance"]):
            row = (hour, values.index(carrier) if isinstance(carrier, str) else math.nan, distance)
            known = sum(w * v for w, v in zip(self.weights, row) if not math.isnan(v))
            scores.append(1 / (1 + math.exp(-known)))
        return scores


def _load_pyfunc(path):
    return Model(json.loads(Path(path).read_text()))
"""


def _sigmoid_of_the_sum() -> bytes:
    nodes = [
        helper.make_node("IsNaN", ["rows"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "rows"], ["known"]),
        helper.make_node("Mul", ["known", "weights"], ["weighed"]),
        helper.make_node("ReduceSum", ["weighed", "axis"], ["sum"], keepdims=0),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
    ]
    constants = [
        helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
        helper.make_tensor("weights", TensorProto.FLOAT, [3], WEIGHTS),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture
def matrix() -> NDArray[np.float32]:
    random = np.random.default_rng(5)
    rows = random.normal(size=(1000, 3)).astype(np.float32)
    rows[:, 1] = random.integers(0, 4, 1000)
    rows[random.random(rows.shape) < 0.1] = np.nan
    return rows


@pytest.fixture
def expected(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    known = np.nan_to_num(matrix.astype(np.float64)) @ np.array(WEIGHTS)
    return np.asarray(1 / (1 + np.exp(-known)))


class TestIsolatedRuntime(ModelRuntimeContract):
    @pytest.fixture
    def runtime(self) -> IsolatedRuntime:
        return IsolatedRuntime(ProcessSettings(deadline=60.0))

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "package").mkdir()
        (tmp_path / "package/MLmodel").write_text("flavors: {onnx: {data: model.onnx}}")
        (tmp_path / "package/model.onnx").write_bytes(_sigmoid_of_the_sum())
        return tmp_path / "package"

    @pytest.fixture
    def model_path(self, folder: Path) -> Path:
        return folder / "model.onnx"


class TestPyfuncRuntime(ModelRuntimeContract):
    @pytest.fixture
    def runtime(self) -> PyfuncRuntime:
        return PyfuncRuntime(ProcessSettings(deadline=60.0))

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "package"
        (folder / "code").mkdir(parents=True)
        function = {"code": "code", "data": "weights.json", "loader_module": "sums"}
        (folder / "MLmodel").write_text(json.dumps({"flavors": {"python_function": function}}))
        (folder / "columns.json").write_bytes(canonical(COLUMNS.as_json()))
        (folder / "code/sums.py").write_text(LOADER)
        (folder / "weights.json").write_text(json.dumps(WEIGHTS))
        return folder

    @pytest.fixture
    def model_path(self, folder: Path) -> Path:
        return folder / "weights.json"
