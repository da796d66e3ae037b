"""How much of everything is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    exchanges: int
    """For the lag, over each store."""
    files: int
    """Of 20 KB: a site's artifacts, and what the peers move."""
    rounds: int
    """Of each side in turns; the fastest counts."""
    entries: int
    """Of one history."""
    more: int
    """Entries of each of three histories whose memory is compared with that of `entries`."""
    tiny: int
    """Files of 3 KB."""
    peers_over: tuple[str, ...]
    """Kinds of stores over which the peers are measured."""


SHORT = Counts(2, 40, 1, 300, 600, 0, ("folder", "S3", "Azure", "GCS"))
WHOLE = Counts(20, 10_000, 3, 100_000, 300_000, 0, ("folder", "S3", "Azure"))
FULL = Counts(20, 10_000, 3, 100_000, 300_000, 600_000, ("folder", "S3", "Azure", "GCS"))
FILE_BYTES = 20_000
TINY_BYTES = 3_000
