"""Hybrid logical time: a wall clock that never runs backwards along a chain of causes.

Kulkarni et al., "Logical Physical Clocks", 2014.
"""

from typing import Any, NamedTuple

from freehold.domain.canonical import SAFE_INTEGER

LIMIT = SAFE_INTEGER
"""Greatest number of a time: the greatest integer that every JSON reader has (RFC 8785). As
microseconds it is the year 2255."""
_new = tuple.__new__
"""Half of what a call by names takes: a merge makes hundreds of thousands."""


class HybridTime(NamedTuple):
    """`wall` is microseconds since 1970 UTC; `logical` breaks ties within one microsecond."""

    wall: int
    logical: int = 0

    def next(self, wall: int) -> "HybridTime":
        """The first time after this one that is not before the wall clock's reading."""
        before, logical = self
        return _new(HybridTime, (wall, 0) if wall > before else (before, logical + 1))

    def as_json(self) -> dict[str, int]:
        return {"logical": self.logical, "wall": self.wall}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "HybridTime":
        """Raises KeyError, TypeError, ValueError if it is no time."""
        wall, logical = value["wall"], value["logical"]
        if type(wall) is not int or type(logical) is not int:
            raise ValueError("the numbers of a time are integers")
        if not (0 <= wall <= LIMIT and 0 <= logical <= LIMIT):
            raise ValueError(f"the numbers of a time lie between 0 and {LIMIT}")
        return _new(cls, (wall, logical))
