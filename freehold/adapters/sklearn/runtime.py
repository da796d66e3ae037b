"""Answering from the estimator itself by scikit-learn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from freehold.adapters.sklearn.classifier import classifier_of, probabilities
from freehold.adapters.sklearn.framework import MODEL_FILE
from freehold.ports.model_runtime import SMALL, FileRuntime, Predictor


class SklearnPredictor(Predictor):
    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.width = int(estimator.n_features_in_)
        self._threads = ThreadpoolController()

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        self.require_width(matrix)
        if not len(matrix):
            return np.empty(0)
        if len(matrix) > SMALL:
            return probabilities(self._estimator, matrix)
        # OpenMP keeps this limit for each thread by itself; that of BLAS is the whole process's.
        with self._threads.limit(limits=1, user_api="openmp"):
            return probabilities(self._estimator, matrix)


class SklearnRuntime(FileRuntime):
    name = "sklearn"
    file = MODEL_FILE

    def read(self, data: bytes) -> Predictor:
        return SklearnPredictor(classifier_of(data))
