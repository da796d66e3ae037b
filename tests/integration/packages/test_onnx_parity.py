"""ONNX answers as LightGBM does on as many rows as there are flights."""

import lightgbm
import numpy as np
import pytest

from freehold.adapters.lightgbm.codec import BoosterCodec
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.adapters.onnx.runtime import OnnxPredictor
from freehold.ports.model_converter import TOLERANCE

_WIDTH, _CATEGORIES = 20, 105


@pytest.mark.parametrize("rows", [20_000, pytest.param(336_776, marks=pytest.mark.long)])
def test_every_row_agrees(rows: int) -> None:
    random = np.random.default_rng(rows)
    matrix = random.normal(size=(rows, _WIDTH)).astype(np.float32)
    matrix[:, 0] = random.integers(0, 16, rows)
    matrix[:, 1] = random.integers(0, _CATEGORIES, rows)
    matrix[:, 2:6] = random.integers(0, 24, (rows, 4))
    matrix[:, 6:9] = matrix[:, 6:9].round(1)
    matrix[random.random((rows, _WIDTH)) < 0.05] = np.nan
    matrix[:, 9] = np.nan_to_num(matrix[:, 9])
    score = np.isin(matrix[:, 1], range(0, 105, 7)) + matrix[:, 9] + np.nan_to_num(matrix[:, 6])
    labels = score + random.normal(size=rows) > 1
    parameters = {"objective": "binary", "verbose": -1, "num_leaves": 63, "learning_rate": 0.05}
    dataset = lightgbm.Dataset(matrix, labels, categorical_feature=[0, 1], params={"verbose": -1})
    booster = lightgbm.train(parameters | {"seed": 1}, dataset, 200)
    onnx = OnnxPredictor(OnnxConverter().convert(BoosterCodec().encode(booster), _WIDTH))
    # Where training saw no gap, serving may: the two must agree on that too.
    matrix[::13, 9] = np.nan
    matrix[::17, 1] = _CATEGORIES + 7
    difference = np.abs(onnx.predict(matrix) - booster.predict(matrix))
    assert int((difference > TOLERANCE).sum()) == 0
