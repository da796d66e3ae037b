"""LightGBM and ONNX hold the laws of the ports for models."""

from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from freehold.adapters.lightgbm import runtime as lightgbm_runtime
from freehold.adapters.lightgbm.framework import LightGBMFramework
from freehold.adapters.lightgbm.runtime import LightGBMRuntime
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.adapters.onnx.runtime import OnnxPredictor, OnnxRuntime
from freehold.adapters.onnx.thresholds import largest_float32_below, rounded_for_float32
from freehold.domain.errors import NotSupported
from freehold.ports.contracts.model_converter import ModelConverterContract
from freehold.ports.contracts.model_framework import ModelFrameworkContract
from freehold.ports.contracts.model_runtime import ModelRuntimeContract
from freehold.ports.model_converter import TOLERANCE

_ROWS, _CATEGORIES = 3000, 30


def _training_rows() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Columns: two categories; a number with gaps; one without; whole numbers; and float32
    neighbours, between which every threshold lies closer to one of them than float32 can say."""
    random = np.random.default_rng(7)
    rows = np.empty((_ROWS, 6), dtype=np.float32)
    rows[:, 0] = random.integers(0, _CATEGORIES, _ROWS)
    rows[:, 1] = random.integers(0, 3, _ROWS)
    rows[:, 2:4] = random.normal(size=(_ROWS, 2))
    rows[:, 4] = random.integers(-3, 4, _ROWS)
    step = random.integers(0, 40, _ROWS)
    rows[:, 5] = (np.float32(1).view(np.int32) + step).astype(np.int32).view(np.float32)
    rows[random.random(_ROWS) < 0.1, 2] = np.nan
    score = np.nan_to_num(rows[:, 2], nan=1.0) + rows[:, 3] - 0.5 * (rows[:, 4] > 0)
    score = score + np.isin(rows[:, 0], [1, 4, 9, 16, 25]) + (step // 2 % 2)
    return rows, score + random.normal(size=_ROWS) > 1


def _trained(**parameters: object) -> bytes:
    rows, labels = _training_rows()
    settings = {"objective": "binary", "verbose": -1, "num_leaves": 31, "num_threads": 1}
    settings |= {"min_data_per_group": 10, "seed": 1} | parameters
    dataset = lightgbm.Dataset(rows, labels, categorical_feature=[0, 1], params={"verbose": -1})
    return lightgbm.train(settings, dataset, 30).model_to_string().encode()


@pytest.fixture(scope="module")
def data() -> bytes:
    return _trained()


@pytest.fixture(scope="module")
def matrix() -> NDArray[np.float32]:
    """The rows, with every column missing somewhere, categories unseen, and infinities."""
    rows = _training_rows()[0]
    random = np.random.default_rng(8)
    rows[random.random(rows.shape) < 0.05] = np.nan
    rows[random.random(_ROWS) < 0.05, 0] = _CATEGORIES + 5
    rows[:4, 3] = [np.inf, -np.inf, 0.0, -0.0]
    return rows


@pytest.fixture(scope="module")
def expected(data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(lightgbm.Booster(model_str=data.decode()).predict(matrix))


class TestLightGBMFramework(ModelFrameworkContract):
    @pytest.fixture
    def framework(self) -> LightGBMFramework:
        return LightGBMFramework()


class TestLightGBMRuntime(ModelRuntimeContract):
    @pytest.fixture
    def runtime(self) -> LightGBMRuntime:
        return LightGBMRuntime()

    @pytest.fixture
    def folder(self, tmp_path: Path, data: bytes) -> Path:
        (tmp_path / "package/model.lgb").mkdir(parents=True)
        (tmp_path / "package/model.lgb/model.txt").write_bytes(data)
        return tmp_path / "package"

    @pytest.fixture
    def model_path(self, folder: Path) -> Path:
        return folder / "model.lgb/model.txt"

    def test_a_single_row_goes_by_the_function_for_single_rows(
        self, data: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each other way would answer the same, and no other test would tell."""
        predictor = LightGBMRuntime().read(data)
        matrix = np.zeros((1, predictor.width), np.float32)
        expected = lightgbm.Booster(model_str=data.decode()).predict(matrix)

        def another_way(*_: object) -> None:
            raise AssertionError("it went another way")

        monkeypatch.setattr(lightgbm_runtime, "_predict", another_way)
        monkeypatch.setattr(lightgbm.Booster, "predict", another_way)
        assert predictor.predict(matrix).tolist() == np.asarray(expected).tolist()
        with pytest.raises(AssertionError, match="another way"):
            predictor.predict(np.zeros((2, predictor.width), np.float32))


class TestOnnxRuntime(ModelRuntimeContract):
    @pytest.fixture
    def runtime(self) -> OnnxRuntime:
        return OnnxRuntime()

    @pytest.fixture
    def folder(self, tmp_path: Path, data: bytes) -> Path:
        (tmp_path / "package").mkdir()
        (tmp_path / "package/model.onnx").write_bytes(OnnxConverter().convert(data, 6))
        return tmp_path / "package"

    @pytest.fixture
    def model_path(self, folder: Path) -> Path:
        return folder / "model.onnx"


class TestOnnxConverter(ModelConverterContract):
    @pytest.fixture
    def converter(self) -> OnnxConverter:
        return OnnxConverter()

    @pytest.fixture
    def answers(self) -> Callable[[bytes, NDArray[np.float32]], NDArray[np.float64]]:
        return lambda converted, rows: OnnxPredictor(converted).predict(rows)

    def test_rows_on_either_side_of_every_threshold(self, converter: OnnxConverter) -> None:
        data = _trained()
        booster = lightgbm.Booster(model_str=data.decode())
        trees = booster.trees_to_dataframe()
        numbers = trees[trees["decision_type"] == "<="]
        rows = []
        for name, limit in zip(numbers["split_feature"], numbers["threshold"], strict=True):
            below = largest_float32_below(np.array([float(limit)]))[0]
            for value in (below, np.nextafter(below, np.float32(np.inf))):
                row = np.zeros(6, dtype=np.float32)
                row[int(name.removeprefix("Column_"))] = value
                rows.append(row)
        matrix = np.array(rows, dtype=np.float32)
        answer = OnnxPredictor(converter.convert(data, 6)).predict(matrix)
        assert len(matrix) > 500
        assert np.max(np.abs(answer - booster.predict(matrix))) <= TOLERANCE

    def test_the_rewritten_model_is_the_same_model(
        self, data: bytes, matrix: NDArray[np.float32], expected: NDArray[np.float64]
    ) -> None:
        rewritten = lightgbm.Booster(model_str=rounded_for_float32(data.decode()))
        assert np.array_equal(rewritten.predict(matrix), expected)

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"objective": "regression"}, "objective is regression"),
            ({"sigmoid": 2.0}, "objective is binary sigmoid:2"),
            ({"zero_as_missing": True}, "zero as missing"),
            ({"linear_tree": True}, "linear models"),
            ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "averages"),
        ],
    )
    def test_a_model_that_onnx_would_read_differently_is_refused(
        self, converter: OnnxConverter, parameters: dict[str, object], reason: str
    ) -> None:
        with pytest.raises(NotSupported) as caught:
            converter.convert(_trained(**parameters), 6)
        assert caught.value.code == "model.not-convertible"
        assert reason in caught.value.why
