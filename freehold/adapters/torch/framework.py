"""What PyTorch tells of a model: its answers, what moved them, its flavor."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from freehold.adapters.torch.archive import SUFFIXES, kind_of, probabilities, read
from freehold.domain.attribution import attributions, log_odds
from freehold.domain.package import ModelFlavor
from freehold.ports.model_framework import ModelFramework


class TorchFramework(ModelFramework):
    name = "torch"
    format = "torch"

    def flavor(self, data: bytes) -> ModelFlavor:
        read(data)
        kind = kind_of(data)
        release = torch.__version__.partition("+")[0]
        return ModelFlavor(
            name=self.name,
            model_file=f"model.{SUFFIXES[kind]}",
            metadata={"format": kind, "torch_version": release},
            requirements=(f"numpy=={version('numpy')}", f"torch=={release}"),
            loader=Path(__file__).with_name("loader.py").read_text(encoding="utf-8"),
        )

    def predict(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        read_once = probabilities(data, np.full((1, matrix.shape[1]), np.nan, dtype=np.float32))
        return probabilities(data, matrix) if len(matrix) else read_once[:0]

    def contributions(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sampled Shapley values against rows of the matrix."""
        self.predict(data, matrix[:1])
        return attributions(lambda rows: log_odds(probabilities(data, rows)), matrix)
