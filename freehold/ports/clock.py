"""The time of day, injected, so that nothing below the faces reads a clock."""

from typing import Protocol


class Clock(Protocol):
    def __call__(self) -> int:
        """Microseconds since 1970 UTC."""
