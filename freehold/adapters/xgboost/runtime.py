"""Answering from the model's own JSON by XGBoost."""

import numpy as np
import xgboost
from numpy.typing import NDArray

from freehold.adapters.xgboost.booster import check_binary, probabilities, read_booster
from freehold.adapters.xgboost.framework import MODEL_FILE
from freehold.ports.model_runtime import SMALL, FileRuntime, Predictor


class XGBoostPredictor(Predictor):
    def __init__(self, data: bytes) -> None:
        check_binary(data)
        # How many threads answer is a setting of the booster, which no call may change.
        self._alone, self._many = read_booster(data), read_booster(data)
        self._alone.set_param({"nthread": 1})
        self.width = self._alone.num_features()
        for booster in (self._alone, self._many):
            _configure(booster, self.width)

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        self.require_width(matrix)
        if not len(matrix):
            return np.empty(0)
        return probabilities(self._alone if len(matrix) <= SMALL else self._many, matrix)


class XGBoostRuntime(FileRuntime):
    name = "xgboost"
    file = MODEL_FILE

    def read(self, data: bytes) -> Predictor:
        return XGBoostPredictor(data)


def _configure(booster: xgboost.Booster, width: int) -> None:
    """A booster completes its settings at its first answer, which threads must not do at once."""
    probabilities(booster, np.full((1, width), np.nan, dtype=np.float32))
