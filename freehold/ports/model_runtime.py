"""Answering from an unpacked package.

Laws
- `load` is called only on a folder whose signature or digest was checked: a library written in C
  may end the process on an altered model.
- It reads the folder once; a predictor needs nothing of it afterwards.
- `predict` gives the numbers of the framework's own, which ONNX may round (`TOLERANCE`). It may be
  called from many threads at once and gives each the same answers as alone.
- A batch of at most `SMALL` rows is answered on the caller's thread.
- What `load_to_share` gives has started no thread, nor does it for small batches: a process that is
  forked afterwards answers by it too, sharing its memory, once it has called `start`.
- Errors: IntegrityError (`package.incomplete`, `package.unreadable`) from `load`;
  RequestInvalid (`request.wrong-width`) for a matrix of the wrong shape.
"""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freehold.domain.errors import AdapterFailed, IntegrityError, RequestInvalid

SMALL = 256
"""Rows up to which starting threads costs more than it saves."""


class Predictor(ABC):
    width: int
    """Columns that it expects."""

    @abstractmethod
    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of the positive class [n] for rows [n, width]."""

    def start(self) -> None:
        """Makes what large batches need, threads of its own for instance: in the process that
        answers, before it does. Else the first large batch does it."""
        return

    def require_width(self, matrix: NDArray[np.float32]) -> None:
        """Raises RequestInvalid `request.wrong-width`."""
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise RequestInvalid(
                f"the model takes rows of {self.width} columns, not a {matrix.shape} matrix",
                code="request.wrong-width",
            )


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

    def needs(self, folder: Path) -> tuple[str, ...]:  # noqa: ARG002 - most need no other
        """Names of the runtimes by which it answers from the package, itself first, those of a
        graph's models after it. Nothing is loaded. Raises IntegrityError, AdapterMissing."""
        return (self.name,)

    def load_to_share(self, folder: Path) -> Predictor | None:  # noqa: ARG002 - most cannot
        """As `load`, for processes that are forked afterwards; None where that is not possible."""
        return None


class UsesEnvironment(ABC):
    """A runtime whose models answer in the environment of another interpreter."""

    @property
    @abstractmethod
    def interpreter(self) -> str:
        """Where it is."""

    runs_code: bool
    """Whether code of the package's own runs there, which needs what the package requires."""

    @abstractmethod
    def imports(self, folder: Path) -> tuple[str, ...]:
        """Modules that are imported there for the package, besides what its own code needs."""


class LoadsWithin(ABC):
    """A runtime that starts a process of its own for some packages, and can do without: whoever
    asks it is such a process."""

    @abstractmethod
    def load_within(self, folder: Path) -> Predictor:
        """As `ModelRuntime.load`, without starting a process."""


class FileRuntime(ModelRuntime):
    """Of packages whose model is one file."""

    file: str
    """Relative path in the package."""

    @abstractmethod
    def read(self, data: bytes) -> Predictor:
        """Raises AdapterFailed."""

    def load(self, folder: Path) -> Predictor:
        path = folder / self.file
        try:
            return self.read(path.read_bytes())
        except OSError as exc:
            raise IntegrityError(
                f"the package in {folder} has no {self.file}",
                why=str(exc),
                code="package.incomplete",
            ) from exc
        except AdapterFailed as exc:
            raise IntegrityError(
                f"{path} cannot be loaded", why=exc.why, code="package.unreadable"
            ) from exc
