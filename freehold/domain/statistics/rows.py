"""Scores and labels as arrays that the other modules can rely on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scored:
    """Scores beside labels, checked once."""

    scores: Floats
    """[n]"""
    positive: Mask
    """[n]"""
    reason: str
    """Why nothing can be said of them: a key of estimate.REASONS, or empty."""

    @property
    def rows(self) -> int:
        return len(self.scores)

    @property
    def positives(self) -> int:
        return int(np.count_nonzero(self.positive))

    @property
    def one_class(self) -> bool:
        return self.positives in (0, self.rows)

    def take(self, rows: npt.NDArray[Any]) -> "Scored":
        """The rows at these positions; an empty choice is unknown for being empty."""
        reason = self.reason or ("" if len(rows) else "empty")
        return Scored(self.scores[rows], self.positive[rows], reason)


def scored(scores: npt.ArrayLike, labels: npt.ArrayLike) -> Scored:
    """Scores [n] (any finite numbers) and labels [n] (0 and 1, or booleans).

    Raises ValueError if the lengths differ or either is not one-dimensional.
    """
    values = np.asarray(scores, dtype=np.float64)
    truth = np.asarray(labels)
    if values.ndim != 1 or truth.ndim != 1 or len(values) != len(truth):
        raise ValueError(f"scores {values.shape} and labels {truth.shape} are not rows of one kind")
    return Scored(values, truth == 1, _reason(values, truth))


def _reason(values: Floats, truth: npt.NDArray[Any]) -> str:
    if len(values) == 0:
        return "empty"
    if not np.isfinite(values).all():
        return "not-finite"
    if truth.dtype.kind == "f" and not np.isfinite(truth).all():
        return "not-finite"
    if truth.dtype.kind not in "biuf" or not ((truth == 0) | (truth == 1)).all():
        return "not-binary"
    return ""


def improbable(rows: Scored) -> str:
    """The reason why the scores cannot be read as probabilities, or empty."""
    if rows.reason:
        return rows.reason
    if rows.scores.min() < 0 or rows.scores.max() > 1:
        return "not-a-probability"
    return ""
