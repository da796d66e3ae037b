"""What was answered and is not in the log, since only a share of the keys is kept: counted.

Law. Of every version, what stands in the log and what is counted here are together what was
answered, but for rows that were dropped: each request and row once, in one part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson


@dataclass(slots=True)
class LeftOut:
    """Of one version, since the part before."""

    model: str
    version: int
    requests: int = 0
    """Those of which no row is in the log."""
    rows: int = 0
    first: int = 0
    """When the earliest of the questions arose, microseconds since 1970 UTC."""
    last: int = 0
    answered: int = 0
    """When the last one had arrived."""
    seconds: float = 0.0
    """That scoring took, of `requests`."""
    squares: float = 0.0
    """Of each of these requests' seconds, summed."""


class Tally:
    """By model and version. Not thread-safe."""

    def __init__(self, share: float = 1.0) -> None:
        self.share = share
        """Of the keys that are kept, when the last row was left out."""
        self._by: dict[tuple[str, int], LeftOut] = {}

    def __bool__(self) -> bool:
        return bool(self._by)

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self._by.values())

    def add(self, other: LeftOut) -> None:
        one = self._by.get((other.model, other.version))
        if one is None:
            self._by[other.model, other.version] = other
            return
        one.requests += other.requests
        one.rows += other.rows
        one.first = min(one.first, other.first)
        one.last = max(one.last, other.last)
        one.answered = max(one.answered, other.answered)
        one.seconds += other.seconds
        one.squares += other.squares

    def join(self, other: "Tally") -> None:
        """What was left out since."""
        if other:
            self.share = other.share
        for one in other._by.values():
            self.add(one)

    def metadata(self) -> dict[str, str]:
        """As they stand in a part's metadata, beside `freehold.sampled_out`, the rows."""
        told = orjson.dumps([asdict(one) for one in self._by.values()]).decode()
        rows = {"freehold.sampled_out": str(self.rows)}
        return {**rows, "freehold.sample": str(self.share), "freehold.left_out": told}


def left_out_of(metadata: Mapping[str, str]) -> tuple[LeftOut, ...]:
    """Of a part; none where nothing was left out, or it is older than sampling. Raises ValueError.

    Members that a later release may add are let pass.
    """
    names = LeftOut.__dataclass_fields__
    told: Iterable[Mapping[str, Any]] = orjson.loads(metadata.get("freehold.left_out", "[]"))
    try:
        return tuple(LeftOut(**{name: one[name] for name in names}) for one in told)
    except (KeyError, TypeError) as exc:
        raise ValueError(f"the counts of a log's part cannot be read: {exc!r}") from exc
