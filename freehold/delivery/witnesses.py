"""The requests that a rollback rests on, where single ones speak for it.

Those that failed, or those that took longest. What moved scores, quality or a metric is told by all
rows together.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from freehold.delivery.measurement import REQUEST

FEW = 3


@dataclass(frozen=True)
class Witness:
    request: str
    """Its id; where the log has tokens of ids, that of it."""
    at: int
    """When it was answered, in microseconds since 1970 UTC."""
    error: str = ""
    """Code; empty for one that did not fail."""
    ratio: float | None = None
    """Of one that took long: its time over the champion's on the same rows."""

    @property
    def sentence(self) -> str:
        """For people, to stand behind what it is about."""
        if self.ratio is None:
            return f"request {self.request} failed: {self.error}"
        return f"request {self.request} took {self.ratio:.3g} times as long"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Witness":
        """Raises TypeError for anything but what `as_json` gave."""
        return cls(**value)


def witnesses(rows: pl.DataFrame, guardrail: str) -> tuple[Witness, ...]:
    """Of the rows that the version was routed, at most FEW: the first that failed, or the slowest.

    `rows` needs the log's columns request_id, at, error, latency_us and reference_latency_us.
    """
    if guardrail == "error-rate":
        found = rows.filter(pl.col("error").is_not_null()).sort("at", maintain_order=True)
    elif guardrail == "latency-ratio":
        ratio = pl.col("latency_us") / pl.col("reference_latency_us")
        found = rows.with_columns(ratio=ratio).filter(ratio.is_finite())
        found = found.sort("ratio", descending=True, maintain_order=True)
    else:
        return ()
    first = found.unique(REQUEST, keep="first", maintain_order=True).head(FEW)
    return tuple(
        Witness(
            row["request_id"],
            int(row["at"].timestamp() * 1e6),
            row["error"] or "",
            row.get("ratio"),
        )
        for row in first.iter_rows(named=True)
    )
