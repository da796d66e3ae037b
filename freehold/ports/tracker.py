"""Mirroring runs into a tool where people compare them.

Laws
- A tracker is a mirror: nothing of ours reads from it, and its failure fails no run.
- Every failure is an AdapterFailed (`tracker.failed`), for the caller to record.
- Recording the same run twice gives two entries; the caller records once.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    experiment: str
    name: str
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Metrics by round: a learning curve."""
    reliability: tuple[tuple[float, float], ...] = ()
    """(mean prediction, share of positives) by bin."""
    strengths: Mapping[str, float] = field(default_factory=dict)
    """Mean size of each feature's contributions."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Further documents by relative path: `card.md`."""
    package: Mapping[str, bytes] = field(default_factory=dict)
    """Files of the package's payload by path; empty when there is no model."""
    model: str = ""
    """Name to register the package under; "" registers none."""
    alias: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tracked:
    run: str
    """The tracker's own identifier of the run."""
    model_version: str = ""
    """The tracker's own version of the registered model, or ""."""


class Tracker(ABC):
    @classmethod
    @abstractmethod
    def open(cls, location: str, folder: Path) -> Self:
        """The tracker at `location`, in words of its own; if that is empty, in `folder`, which it
        may fill as it likes."""

    @abstractmethod
    def record(self, run: TrackedRun) -> Tracked:
        """Keep it, finished."""
