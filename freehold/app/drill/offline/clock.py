"""The clock of a drill's sites: the machine's, moved ahead while their processes run."""

from pathlib import Path

HOUR = 3_600_000_000
"""Microseconds."""


class DrillClock:
    def __init__(self, path: Path) -> None:
        """`path`: what FREEHOLD_CLOCK_FILE names for every process of the drill."""
        self.path = path
        self.ahead(0)

    def ahead(self, hours: float) -> None:
        """Of the machine's own clock. A reader sees the old file or the whole new one."""
        part = self.path.with_suffix(".part")
        part.write_text(str(round(hours * HOUR)))
        part.replace(self.path)
