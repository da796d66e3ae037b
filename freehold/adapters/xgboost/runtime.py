"""Answering from the model's own JSON by XGBoost."""

from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from freehold.adapters.xgboost.booster import check_binary, probabilities, read_booster
from freehold.adapters.xgboost.framework import MODEL_FILE
from freehold.domain.errors import AdapterFailed, IntegrityError, RequestInvalid
from freehold.ports.model_runtime import SMALL, ModelRuntime, Predictor


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
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise RequestInvalid(
                f"the model takes rows of {self.width} columns, not a {matrix.shape} matrix",
                code="request.wrong-width",
            )
        if not len(matrix):
            return np.empty(0)
        return probabilities(self._alone if len(matrix) <= SMALL else self._many, matrix)


class XGBoostRuntime(ModelRuntime):
    name = "xgboost"

    def load(self, folder: Path) -> Predictor:
        path = folder / MODEL_FILE
        try:
            return XGBoostPredictor(path.read_bytes())
        except OSError as exc:
            raise IntegrityError(
                f"the package in {folder} has no {MODEL_FILE}",
                why=str(exc),
                code="package.incomplete",
            ) from exc
        except AdapterFailed as exc:
            raise IntegrityError(
                f"{path} cannot be loaded", why=exc.why, code="package.unreadable"
            ) from exc


def _configure(booster: xgboost.Booster, width: int) -> None:
    """A booster completes its settings at its first answer, which threads must not do at once."""
    probabilities(booster, np.full((1, width), np.nan, dtype=np.float32))
