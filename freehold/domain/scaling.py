"""Between which lines an endpoint is held, and which hours of the week ask for more."""

from dataclasses import dataclass
from math import isfinite

WEEK = 168
"""Hours."""


@dataclass(frozen=True)
class Targets:
    """Raises ValueError for lines that would make the number swing, and for bounds that cross."""

    high: float = 0.7
    """Share of a replica's accelerator, or else of its processor: from here on there are more."""
    low: float = 0.3
    """Share under which there may be fewer."""
    queue: float = 2.0
    """Requests that may wait at a replica."""
    calm: float = 300.0
    """Seconds under `low` before there are fewer."""
    settling: float = 60.0
    """Seconds after a change in which there is not one more: new replicas have yet to load."""
    gap: float = 90.0
    """Seconds between two samples over which nothing is known."""
    minimum: int = 1
    maximum: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high / 2 <= 0.5:
            raise ValueError(f"low ({self.low}) is positive and under half of high ({self.high})")
        if not 1 <= self.minimum <= self.maximum:
            raise ValueError(f"bounds are 1 ≤ {self.minimum} ≤ {self.maximum}")
        if not (self.queue > 0 and isfinite(self.queue)):
            raise ValueError(f"a queue is a positive number, not {self.queue}")
        if self.calm <= 0 or self.settling < 0 or self.gap <= 0:
            raise ValueError("calm and gap are positive, settling is not negative")

    def within(self, replicas: int) -> int:
        return min(max(replicas, self.minimum), self.maximum)


@dataclass(frozen=True)
class Warming:
    """Replicas that are to be there during some hours of each week, UTC, more than the minimum."""

    start: int
    """Hour of the week, 0 is Monday's first."""
    end: int
    """The first hour after, of the week too: it may lie in the next one, and is not `start`."""
    replicas: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < WEEK and 0 <= self.end < WEEK) or self.start == self.end:
            raise ValueError(f"hours of a week go from 0 to 167, not {self.start} to {self.end}")
        if self.replicas < 1:
            raise ValueError(f"{self.replicas} replicas warm nothing")
