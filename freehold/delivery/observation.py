"""What was seen of a canary since its step began, as figures that a decision can rest on."""

from dataclasses import dataclass

from freehold.domain.statistics.estimate import Estimate


@dataclass(frozen=True)
class Observation:
    """None where there is not enough to say anything."""

    rows: int
    """That the canary was asked to score, failures included."""
    errors: int
    """Of these rows."""
    latency_ratio: Estimate | None = None
    """99th percentile of the canary's time over the champion's on the same rows."""
    score_shift: Estimate | None = None
    """PSI of the canary's scores against its own baseline, less the champion's on the same rows."""
    quality_difference: Estimate | None = None
    """The canary's AUC less the champion's, on the same labelled rows, paired."""

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.rows:
            raise ValueError("there are more errors than rows")
