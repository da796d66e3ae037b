"""Rewriting a model for a runtime that does not know its framework.

Laws
- Equal bytes give equal bytes, on any machine with the same library versions.
- The result answers what the source answers to within `TOLERANCE`, on every float32 row, missing
  values and categories that were never seen included.
- Errors: NotSupported (`model.not-convertible`) for a model whose answers would differ;
  AdapterFailed (`model.unreadable`) for bytes that are no such model.
"""

from abc import ABC, abstractmethod

TOLERANCE = 1e-5
"""Largest allowed difference of a probability."""


class ModelConverter(ABC):
    source: str
    """Format of the bytes that it reads, as a codec names it: `lightgbm`."""
    target: str
    """Format of the bytes that it writes: `onnx`."""

    @abstractmethod
    def convert(self, data: bytes, width: int) -> bytes:
        """The model over a float32 matrix [n, width], with one output: probabilities [n]."""
