"""scikit-learn holds the laws of the ports for models."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from freehold.adapters.sklearn.codec import EstimatorCodec
from freehold.adapters.sklearn.framework import SklearnFramework
from freehold.adapters.sklearn.runtime import SklearnRuntime
from freehold.domain.errors import IntegrityError, NotSupported
from freehold.ports.contracts.model_framework import ModelFrameworkContract
from freehold.ports.contracts.model_runtime import ModelRuntimeContract

_ROWS, _CATEGORIES = 600, 30


def _training_rows() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    random = np.random.default_rng(7)
    rows = np.empty((_ROWS, 4), dtype=np.float32)
    rows[:, 0] = random.integers(0, _CATEGORIES, _ROWS)
    rows[:, 1:3] = random.normal(size=(_ROWS, 2))
    rows[:, 3] = random.integers(-3, 4, _ROWS)
    rows[random.random(rows.shape) < 0.05] = np.nan
    score = np.nan_to_num(rows[:, 1], nan=1.0) + np.isin(rows[:, 0], [1, 4, 9, 16, 25])
    return rows, score + random.normal(size=_ROWS) > 1


def _imputed(*steps: Any) -> Any:
    return make_pipeline(SimpleImputer(keep_empty_features=True), *steps)


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "boosting": lambda: HistGradientBoostingClassifier(
        max_iter=8, categorical_features=[0], random_state=1
    ),
    "forest": lambda: RandomForestClassifier(6, random_state=1, n_jobs=2),
    "extra trees": lambda: ExtraTreesClassifier(5, random_state=1),
    "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=1),
    "gradient boosting": lambda: _imputed(
        GradientBoostingClassifier(n_estimators=5, random_state=1)
    ),
    "logistic": lambda: _imputed(StandardScaler(), LogisticRegression()),
    "descent": lambda: _imputed(SGDClassifier(loss="log_loss", random_state=1)),
    "neighbours": lambda: _imputed(KNeighborsClassifier()),
    "bayes": lambda: _imputed(GaussianNB()),
    "network": lambda: _imputed(
        StandardScaler(), MLPClassifier((4,), tol=10.0, max_iter=50, random_state=1)
    ),
    "calibrated": lambda: _imputed(CalibratedClassifierCV(LogisticRegression())),
    "voting": lambda: _imputed(
        VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft")
    ),
    "stacking": lambda: _imputed(
        StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())])
    ),
}


def _fitted(name: str) -> Any:
    return CLASSIFIERS[name]().fit(*_training_rows())


@pytest.fixture(scope="module")
def data() -> bytes:
    return EstimatorCodec().encode(_fitted("boosting"))


@pytest.fixture(scope="module")
def matrix() -> NDArray[np.float32]:
    """The rows, with every column missing somewhere, and categories unseen."""
    rows = _training_rows()[0]
    random = np.random.default_rng(8)
    rows[random.random(rows.shape) < 0.05] = np.nan
    rows[random.random(_ROWS) < 0.05, 0] = _CATEGORIES + 5
    return rows


@pytest.fixture(scope="module")
def expected(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(_fitted("boosting").predict_proba(matrix)[:, 1])


class TestSklearnFramework(ModelFrameworkContract):
    @pytest.fixture
    def framework(self) -> SklearnFramework:
        return SklearnFramework()

    @pytest.mark.parametrize("name", CLASSIFIERS)
    def test_every_kind_keeps_its_numbers(
        self, framework: SklearnFramework, matrix: NDArray[np.float32], name: str
    ) -> None:
        fitted = _fitted(name)
        data = EstimatorCodec().encode(fitted)
        own = fitted.predict_proba(matrix)[:, 1]
        assert np.array_equal(framework.predict(data, matrix), own)
        framework.flavor(data)

    @pytest.mark.parametrize(
        ("estimator", "code"),
        [
            (LogisticRegression(), "model.no-missing"),
            (SGDClassifier(loss="hinge"), "model.not-binary"),
            (Ridge(), "model.not-binary"),
            (StandardScaler(), "model.not-binary"),
        ],
    )
    def test_what_cannot_be_served_is_refused(
        self, framework: SklearnFramework, estimator: Any, code: str
    ) -> None:
        rows, labels = _training_rows()
        data = EstimatorCodec().encode(estimator.fit(np.nan_to_num(rows), labels))
        with pytest.raises(NotSupported) as caught:
            framework.predict(data, rows)
        assert caught.value.code == code

    def test_three_classes_or_columns_by_name_are_refused(
        self, framework: SklearnFramework
    ) -> None:
        rows, labels = _training_rows()
        three = DecisionTreeClassifier().fit(rows, np.arange(_ROWS) % 3)
        named = DecisionTreeClassifier().fit(pd.DataFrame(rows, columns=list("abcd")), labels)
        for fitted, code in ((three, "model.not-binary"), (named, "model.named-columns")):
            with pytest.raises(NotSupported) as caught:
                framework.flavor(EstimatorCodec().encode(fitted))
            assert caught.value.code == code


class TestSklearnRuntime(ModelRuntimeContract):
    @pytest.fixture
    def runtime(self) -> SklearnRuntime:
        return SklearnRuntime()

    @pytest.fixture
    def folder(self, tmp_path: Path, data: bytes) -> Path:
        (tmp_path / "package").mkdir()
        (tmp_path / "package/model.skops").write_bytes(data)
        return tmp_path / "package"

    @pytest.fixture
    def model_path(self, folder: Path) -> Path:
        return folder / "model.skops"


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_estimator_comes_back_with_the_answers_it_gave(name: str, tmp_path: Path) -> None:
    fitted, rows = _fitted(name), _training_rows()[0]
    data = EstimatorCodec().encode(fitted)
    again = EstimatorCodec().decode(data, type(fitted), tmp_path)
    assert type(again) is type(fitted)
    assert np.array_equal(again.predict_proba(rows), fitted.predict_proba(rows))
    assert EstimatorCodec().encode(_fitted(name)) == data


@pytest.mark.parametrize("deed", [os.system, eval, subprocess.call])
def test_a_file_that_brings_a_deed_does_nothing(deed: Any, tmp_path: Path) -> None:
    """As another's skops file may hold it: ours refuses to write it in the first place."""
    step = FunctionTransformer(partial(deed, f"touch {tmp_path}/done"))
    with pytest.raises(NotSupported):
        EstimatorCodec().encode(step)
    with pytest.raises(IntegrityError):
        EstimatorCodec().decode(skops.io.dumps(step), object, tmp_path)
    assert list(tmp_path.iterdir()) == []


_ELSEWHERE = """
import sys
from hashlib import sha256
from sklearn.linear_model import LogisticRegression
from freehold.adapters.sklearn.codec import EstimatorCodec
given = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], [0, 1, 1, 0]
print(sha256(EstimatorCodec().encode(LogisticRegression().fit(*given))).hexdigest())
"""


def test_two_processes_write_the_same_bytes() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", _ELSEWHERE], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(found) == 1


class Own(StandardScaler):
    """A class that only this project has."""


def test_what_is_cut_or_would_need_pickle(data: bytes, tmp_path: Path) -> None:
    cuts = [data[: len(data) * part // 20] for part in range(20)]
    for bad in (b"{}", *cuts, data[:-1]):
        with pytest.raises(IntegrityError) as caught:
            EstimatorCodec().decode(bad, object, tmp_path)
        assert caught.value.code == "artifact.unreadable"
    rows, labels = _training_rows()
    for step in (Own(), FunctionTransformer(lambda rows: rows)):
        with pytest.raises(NotSupported) as unsupported:
            EstimatorCodec().encode(_imputed(step, LogisticRegression()).fit(rows, labels))
        assert unsupported.value.code == "codec.unsupported"
    with pytest.raises(NotSupported) as unsupported:
        EstimatorCodec().encode(Own())
    assert "Own" in unsupported.value.why
