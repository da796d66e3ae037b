"""Answering from the model's own text by LightGBM."""

from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from freehold.adapters.lightgbm.booster import booster_of
from freehold.adapters.lightgbm.framework import MODEL_FILE
from freehold.domain.errors import AdapterFailed, IntegrityError, RequestInvalid
from freehold.ports.model_runtime import SMALL, ModelRuntime, Predictor


class LightGBMPredictor(Predictor):
    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster
        self.width = booster.num_feature()

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise RequestInvalid(
                f"the model takes rows of {self.width} columns, not a {matrix.shape} matrix",
                code="request.wrong-width",
            )
        if not len(matrix):
            return np.empty(0)
        threads = 1 if len(matrix) <= SMALL else 0
        return np.asarray(self._booster.predict(matrix, num_threads=threads), dtype=np.float64)


class LightGBMRuntime(ModelRuntime):
    name = "lightgbm"

    def load(self, folder: Path) -> Predictor:
        path = folder / MODEL_FILE
        try:
            return LightGBMPredictor(booster_of(path.read_bytes()))
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
