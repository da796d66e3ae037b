"""Answering from the estimator itself by scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from freehold.adapters.sklearn.classifier import classifier_of, probabilities
from freehold.adapters.sklearn.framework import MODEL_FILE
from freehold.domain.errors import AdapterFailed, IntegrityError, RequestInvalid
from freehold.ports.model_runtime import SMALL, ModelRuntime, Predictor


class SklearnPredictor(Predictor):
    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.width = int(estimator.n_features_in_)
        self._threads = ThreadpoolController()

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise RequestInvalid(
                f"the model takes rows of {self.width} columns, not a {matrix.shape} matrix",
                code="request.wrong-width",
            )
        if not len(matrix):
            return np.empty(0)
        if len(matrix) > SMALL:
            return probabilities(self._estimator, matrix)
        # OpenMP keeps this limit for each thread by itself; that of BLAS is the whole process's.
        with self._threads.limit(limits=1, user_api="openmp"):
            return probabilities(self._estimator, matrix)


class SklearnRuntime(ModelRuntime):
    name = "sklearn"

    def load(self, folder: Path) -> Predictor:
        path = folder / MODEL_FILE
        try:
            return SklearnPredictor(classifier_of(path.read_bytes()))
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
