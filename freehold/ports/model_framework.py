"""What a library that trains models tells about one of them.

Laws
- A model is its stored bytes, as the codec of `format` wrote them, their digest checked by the
  caller: a library written in C may end the process on bytes that were altered.
- Matrices are float32 [n, k], in the order of the package's columns; a missing value is NaN.
- Answers do not depend on how many rows are asked for at once, but for the last bits of a model
  that sums in blocks.
- Errors: AdapterFailed (`model.unreadable`) for bytes that are no such model; NotSupported for a
  model that cannot be served, at the first call.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from freehold.domain.columns import Columns
from freehold.domain.package import ModelFlavor


class ModelFramework(ABC):
    name: str
    format: str
    """Name of the codec whose bytes it reads."""

    @abstractmethod
    def flavor(self, data: bytes) -> ModelFlavor:
        """What a package must say of the model so that MLflow loads it."""

    @abstractmethod
    def predict(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of the positive class [n]."""

    @abstractmethod
    def contributions(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """How far each column moved each row's score [n, k], in the model's raw units (log-odds).

        With a base value that is one for all rows of a call, a row's contributions sum to its raw
        score.
        """


class KnowsColumns(ABC):
    """A framework whose models say themselves what they take."""

    @abstractmethod
    def columns(self, data: bytes) -> Columns:
        """Of the model. Raises AdapterFailed (`model.unreadable`)."""
