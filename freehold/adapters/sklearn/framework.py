"""What scikit-learn tells of a model: its answers, what moved them, its flavor."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import sklearn
from numpy.typing import NDArray

from freehold.adapters.sklearn.classifier import classifier_of, probabilities
from freehold.adapters.sklearn.loader import TRUSTED
from freehold.domain.attribution import attributions, log_odds
from freehold.domain.errors import AdapterFailed
from freehold.domain.package import ModelFlavor
from freehold.ports.model_framework import ModelFramework

MODEL_FILE = "model.skops"
_PINNED = ("numpy", "scikit-learn", "scipy", "skops")


class SklearnFramework(ModelFramework):
    name = "sklearn"
    format = "sklearn"

    def flavor(self, data: bytes) -> ModelFlavor:
        classifier_of(data)
        return ModelFlavor(
            name=self.name,
            model_file=MODEL_FILE,
            metadata={
                "pickled_model": MODEL_FILE,
                "serialization_format": "skops",
                "sklearn_version": sklearn.__version__,
                "skops_trusted_types": list(TRUSTED),
            },
            requirements=tuple(f"{name}=={version(name)}" for name in _PINNED),
            loader=Path(__file__).with_name("loader.py").read_text(encoding="utf-8"),
        )

    def predict(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        estimator = classifier_of(data)
        if not len(matrix):
            return np.empty(0)
        try:
            return probabilities(estimator, matrix)
        except ValueError as exc:
            raise AdapterFailed(
                "the model does not take these rows",
                why=str(exc).partition("\n")[0],
                code="model.rows-refused",
            ) from exc

    def contributions(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sampled Shapley values against rows of the matrix: scikit-learn knows no others that hold
        for every estimator."""
        classifier_of(data)
        return attributions(lambda rows: log_odds(self.predict(data, rows)), matrix)
