"""What LightGBM tells of a model: its answers, their TreeSHAP contributions, its flavor."""

from importlib.metadata import version
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from freehold.adapters.lightgbm.booster import booster_of
from freehold.domain.package import ModelFlavor
from freehold.ports.model_framework import ModelFramework

MODEL_FILE = "model.lgb/model.txt"


class LightGBMFramework(ModelFramework):
    name = "lightgbm"
    format = "lightgbm"

    def flavor(self, data: bytes) -> ModelFlavor:
        booster_of(data)
        return ModelFlavor(
            name=self.name,
            model_file=MODEL_FILE,
            metadata={
                "lgb_version": lightgbm.__version__,
                "model_class": "lightgbm.basic.Booster",
            },
            requirements=(f"lightgbm=={lightgbm.__version__}", f"numpy=={version('numpy')}"),
            loader=Path(__file__).with_name("loader.py").read_text(encoding="utf-8"),
        )

    def predict(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        if not len(matrix):
            return np.empty(0)
        return np.asarray(booster_of(data).predict(matrix), dtype=np.float64)

    def contributions(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """TreeSHAP (Lundberg et al. 2018), as LightGBM computes it, without the base value."""
        if not len(matrix):
            return np.empty(matrix.shape)
        values = booster_of(data).predict(matrix, pred_contrib=True)
        return np.asarray(values, dtype=np.float64)[:, :-1]
