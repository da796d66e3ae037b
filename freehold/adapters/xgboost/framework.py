"""What XGBoost tells of a model: its answers, their TreeSHAP contributions, its flavor."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from freehold.adapters.xgboost.booster import classifier_of, probabilities
from freehold.domain.package import ModelFlavor
from freehold.ports.model_framework import ModelFramework

MODEL_FILE = "model.xgb/model.json"
_LARGEST = np.finfo(np.float32).max


class XGBoostFramework(ModelFramework):
    name = "xgboost"
    format = "xgboost"

    def flavor(self, data: bytes) -> ModelFlavor:
        classifier_of(data)
        return ModelFlavor(
            name=self.name,
            model_file=MODEL_FILE,
            metadata={
                "model_class": "xgboost.core.Booster",
                "model_format": "json",
                "xgb_version": xgboost.__version__,
            },
            requirements=(f"numpy=={version('numpy')}", f"xgboost=={xgboost.__version__}"),
            loader=Path(__file__).with_name("loader.py").read_text(encoding="utf-8"),
        )

    def predict(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        booster = classifier_of(data)
        return probabilities(booster, matrix) if len(matrix) else np.empty(0)

    def contributions(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """TreeSHAP (Lundberg et al. 2018), as XGBoost computes it, without the base value."""
        booster = classifier_of(data)
        if not len(matrix):
            return np.empty(matrix.shape)
        # A table of XGBoost's takes no infinity, though its trees do: no threshold lies beyond.
        rows = xgboost.DMatrix(
            np.clip(matrix, -_LARGEST, _LARGEST),
            feature_names=booster.feature_names,
            feature_types=booster.feature_types,
            enable_categorical=True,
        )
        values = booster.predict(rows, pred_contribs=True)
        return np.asarray(values, dtype=np.float64)[:, :-1]
