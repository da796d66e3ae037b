"""Answering from an unpacked package.

Laws
- `load` is called only on a folder whose signature or digest was checked: a library written in C
  may end the process on an altered model.
- It reads the folder once; a predictor needs nothing of it afterwards.
- `predict` gives the numbers of the framework's own, which ONNX may round (`TOLERANCE`). It may be
  called from many threads at once and gives each the same answers as alone.
- A batch of at most `SMALL` rows is answered on the caller's thread.
- Errors: IntegrityError (`package.incomplete`, `package.unreadable`) from `load`;
  RequestInvalid (`request.wrong-width`) for a matrix of the wrong shape.
"""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SMALL = 256
"""Rows up to which starting threads costs more than it saves."""


class Predictor(ABC):
    width: int
    """Columns that it expects."""

    @abstractmethod
    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of the positive class [n] for rows [n, width]."""


class Elsewhere(ABC):
    """A predictor whose answers come from another process: whoever has an event loop lets a thread
    wait for them. A failure of that process is a Failed whose code begins with `runtime.`."""

    deadline: float
    """Seconds after which `predict` has answered or failed."""


class ModelRuntime(ABC):
    name: str

    @abstractmethod
    def load(self, folder: Path) -> Predictor:
        """The model of the package that lies in the folder."""
