"""Numbers that sites give without asking each other, and never twice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Numbering:
    """Of `of` sites the one at `slot` takes every `of`-th number: 1, 4, 7 and 2, 5, 8 and 3, 6, 9.

    One site alone numbers without gaps. Two writers of one site that do not know of each other can
    still take the same number: that is a conflict, and shown as one.
    """

    slot: int = 0
    of: int = 1

    def after(self, highest: int) -> int:
        """The smallest own number above it."""
        return highest + 1 + (self.slot - highest) % self.of


ALONE = Numbering()
"""Of a project that has one site."""
