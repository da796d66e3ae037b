"""What was seen of a canary since a moment, as figures that a decision can rest on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from freehold.delivery.bandit import Arm
from freehold.domain.statistics.estimate import Estimate


@dataclass(frozen=True)
class Assignment:
    """How many ids went to the canary since its step began, and how many should have."""

    canary: int
    ids: int
    """That were asked about, of all variants: each once, however often it came."""
    share: float
    """Of the ids that the routing table gives the canary, above 0 and below 1."""
    evidence: float
    """Natural logarithm of the odds against that share (`statistics.assignment`)."""

    @property
    def expected(self) -> int:
        return round(self.share * self.ids)


@dataclass(frozen=True)
class Observation:
    """None, or no entry, where there is not enough to say anything. All bounds of an estimate hold
    at every look at once."""

    rows: int
    """That the canary was asked to score, failures included."""
    errors: int
    """Of these rows."""
    error_rate: Estimate | None = None
    """Share of the requests that the canary failed."""
    latency_ratio: Mapping[float, Estimate] = field(default_factory=dict)
    """Quantile → the canary's time over the champion's on the same rows."""
    score_shift: Estimate | None = None
    """PSI of the canary's scores against its own baseline, less the champion's on the same rows."""
    quality_difference: Estimate | None = None
    """The canary's AUC less the champion's, on the same labelled rows, paired."""
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    """Name → the mean of the canary's rows less that of the champion's own."""
    assignment: Assignment | None = None
    effect: Estimate | None = None
    """Of an A/B test: the mean of its metric over the version's rows less that over the champion's
    own, in the metric's unit; `count` is of the smaller arm."""
    arms: tuple[Arm, Arm] | None = None
    """Of a bandit: what the champion's own answers and the version's have earned for good."""

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.rows:
            raise ValueError("there are more errors than rows")
