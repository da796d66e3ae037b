"""Hybrid logical time: a wall clock that never runs backwards along a chain of causes.

Kulkarni et al., "Logical Physical Clocks", 2014.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class HybridTime:
    """`wall` is microseconds since 1970 UTC; `logical` breaks ties within one microsecond."""

    wall: int
    logical: int = 0

    def next(self, wall: int) -> "HybridTime":
        """The first time after this one that is not before the wall clock's reading."""
        if wall > self.wall:
            return HybridTime(wall)
        return HybridTime(self.wall, self.logical + 1)

    def as_json(self) -> dict[str, int]:
        return {"logical": self.logical, "wall": self.wall}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "HybridTime":
        return cls(int(value["wall"]), int(value["logical"]))
