"""How much of everything is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    exchanges: int
    """For the lag, over each store."""
    files: int
    """Of 20 KB, beside the peers."""
    rounds: int
    """Of each side in turns; the fastest counts."""
    entries: int
    """Of one history."""
    artifacts: int
    """Of 20 KB, that a new site takes."""
    more: int
    """Entries of each of three histories whose memory is compared with that of `entries`."""
    tiny: int
    """Files of 3 KB."""


SHORT = Counts(2, 40, 1, 300, 40, 600, 0)
WHOLE = Counts(20, 5_000, 3, 100_000, 10_000, 300_000, 0)
FULL = Counts(20, 5_000, 3, 100_000, 10_000, 300_000, 600_000)
FILE_BYTES = 20_000
TINY_BYTES = 3_000
