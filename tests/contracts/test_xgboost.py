"""XGBoost holds the laws of the ports for models."""

from pathlib import Path

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from freehold.adapters.xgboost.codec import BoosterCodec
from freehold.adapters.xgboost.framework import XGBoostFramework
from freehold.adapters.xgboost.runtime import XGBoostRuntime
from freehold.domain.errors import AdapterFailed, IntegrityError, NotSupported
from freehold.ports.contracts.model_framework import ModelFrameworkContract
from freehold.ports.contracts.model_runtime import ModelRuntimeContract

_ROWS, _CATEGORIES = 1500, 30
_TYPES = ["c", "c", "q", "q", "int"]


def _training_rows() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    random = np.random.default_rng(7)
    rows = np.empty((_ROWS, 5), dtype=np.float32)
    rows[:, 0] = random.integers(0, _CATEGORIES, _ROWS)
    rows[:, 1] = random.integers(0, 3, _ROWS)
    rows[:, 2:4] = random.normal(size=(_ROWS, 2))
    rows[:, 4] = random.integers(-3, 4, _ROWS)
    rows[random.random(_ROWS) < 0.1, 2] = np.nan
    score = np.nan_to_num(rows[:, 2], nan=1.0) + rows[:, 3] - 0.5 * (rows[:, 4] > 0)
    score = score + np.isin(rows[:, 0], [1, 4, 9, 16, 25])
    return rows, score + random.normal(size=_ROWS) > 1


def _booster(**parameters: object) -> xgboost.Booster:
    rows, labels = _training_rows()
    settings: dict[str, object] = {"objective": "binary:logistic", "nthread": 1, "seed": 1}
    known = xgboost.DMatrix(rows, labels, feature_types=_TYPES, enable_categorical=True)
    return xgboost.train(settings | parameters, known, 15)


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    return _booster()


@pytest.fixture(scope="module")
def data(booster: xgboost.Booster) -> bytes:
    return BoosterCodec().encode(booster)


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
def expected(booster: xgboost.Booster, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(booster.inplace_predict(matrix), dtype=np.float64)


class TestXGBoostFramework(ModelFrameworkContract):
    sums_within = 1e-4

    @pytest.fixture
    def framework(self) -> XGBoostFramework:
        return XGBoostFramework()

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"objective": "reg:squarederror"}, "reg:squarederror"),
            ({"objective": "binary:logitraw"}, "binary:logitraw"),
            ({"objective": "multi:softprob", "num_class": 2}, "multi:softprob"),
            ({"booster": "gblinear", "updater": "coord_descent"}, "gblinear"),
        ],
    )
    def test_a_model_that_gives_no_probability_is_refused(
        self, framework: XGBoostFramework, parameters: dict[str, object], reason: str
    ) -> None:
        rows = np.nan_to_num(_training_rows()[0])
        known = xgboost.DMatrix(rows, _training_rows()[1])
        data = BoosterCodec().encode(xgboost.train({"nthread": 1, **parameters}, known, 2))
        with pytest.raises(NotSupported) as caught:
            framework.flavor(data)
        assert caught.value.code == "model.not-binary" and reason in caught.value.why


class TestXGBoostRuntime(ModelRuntimeContract):
    @pytest.fixture
    def runtime(self) -> XGBoostRuntime:
        return XGBoostRuntime()

    @pytest.fixture
    def folder(self, tmp_path: Path, data: bytes) -> Path:
        (tmp_path / "package/model.xgb").mkdir(parents=True)
        (tmp_path / "package/model.xgb/model.json").write_bytes(data)
        return tmp_path / "package"

    @pytest.fixture
    def model_path(self, folder: Path) -> Path:
        return folder / "model.xgb/model.json"

    def test_the_numbers_are_the_librarys_to_the_bit(
        self, runtime: XGBoostRuntime, folder: Path, booster: xgboost.Booster
    ) -> None:
        rows = _training_rows()[0]
        known = xgboost.DMatrix(rows, feature_types=_TYPES, enable_categorical=True)
        assert np.array_equal(runtime.load(folder).predict(rows), booster.predict(known))


def test_a_booster_comes_back_with_the_answers_it_gave(tmp_path: Path) -> None:
    booster, rows = _booster(), _training_rows()[0]
    data = BoosterCodec().encode(booster)
    again = BoosterCodec().decode(data, xgboost.Booster, tmp_path)
    assert np.array_equal(again.inplace_predict(rows), booster.inplace_predict(rows))
    assert BoosterCodec().encode(again) == data == BoosterCodec().encode(_booster())


def test_what_is_cut_or_of_another_kind(tmp_path: Path) -> None:
    data = BoosterCodec().encode(_booster())
    cuts = [data[: len(data) * part // 20] for part in range(20)]
    others = (b"{}", b"[]", b"null", b'{"learner":{},"version":[3,2,0]}', data[:-1])
    for bad in (*others, *cuts):
        with pytest.raises(IntegrityError) as caught:
            BoosterCodec().decode(bad, xgboost.Booster, tmp_path)
        assert caught.value.code == "artifact.unreadable"
        with pytest.raises(AdapterFailed) as failed:
            XGBoostFramework().flavor(bad)
        assert failed.value.code == "model.unreadable"
    with pytest.raises(NotSupported) as unsupported:
        BoosterCodec().encode(xgboost.XGBClassifier())
    assert unsupported.value.code == "codec.unsupported"
    assert "XGBClassifier" in unsupported.value.what
