"""What the law of retention is asked about, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from freehold.domain.project import RetentionSpec

DAY = 86_400_000_000
"""Microseconds."""

Reason = Literal[
    "hold",
    "live",
    "newest",
    "wanted",
    "open run",
    "recent run",
    "evidence",
    "spending",
    "checked data",
    "within its days",
    "unread fact",
    "may belong to an open run",
    "noted too recently",
]
REASONS: Mapping[Reason, str] = {
    "hold": "a legal hold",
    "live": "a version in traffic, with an alias, or the one to go back to",
    "newest": "among the newest versions of its model",
    "wanted": "a release or a rule asks for it at this site",
    "open run": "a run that is under way or can be resumed",
    "recent run": "a run younger than `retention.runs_days`",
    "evidence": "what was attested of a version is kept for ever",
    "spending": "what was metered or billed is kept for ever",
    "checked data": "the data that it reports on is kept",
    "within its days": "younger than `retention`'s days, or still looked back on",
    "unread fact": "named by a fact that cannot be judged here",
    "may belong to an open run": "it appeared after a run began that is still open",
    "noted too recently": "nothing refers to it; it must stay so for `retention.grace_hours`",
}
"""Reason → what it says to people; the earlier one is told where several hold."""
_RANK = {reason: rank for rank, reason in enumerate(REASONS)}


@dataclass(frozen=True)
class Standing:
    """Why the bytes of a digest stay, or that nothing known keeps them."""

    kind: str
    """`package`, `attestation`, `step output`, `checkpoint`, `contract report`,
    `monitoring report`, `labels`, `usage`, `bill`, or empty for what is only known to be named."""
    reason: Reason | None = None
    """None: they may go."""
    by: str = ""
    """What keeps them: a version, a run, a hold, a fact, a digest."""

    def or_better(self, other: "Standing") -> "Standing":
        """The one with the stronger reason."""
        kind = self.kind or other.kind
        best = min(self, other, key=lambda one: _RANK[one.reason] if one.reason else len(_RANK))
        return Standing(kind, best.reason, best.by)


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What the state does not say."""

    site: str
    """Whose store and request log it is."""
    settings: RetentionSpec
    now: int
    """Microseconds since 1970 UTC."""
    pipelines: frozenset[str]
    """Those whose runs make a model version."""
    window_days: int
    """Days of traffic that monitoring looks back on."""
    driven: frozenset[str] = frozenset()
    """Runs that a process of this site drives now."""
    wanted: Mapping[str, str] = field(default_factory=dict)
    """Digest → the release or rule that asks for it at this site: it would be fetched again."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Digest → a fact that names it and of which the state says nothing."""
