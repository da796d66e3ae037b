"""Which entry of a stretch of a log is the first wrong one.

If the leaf hashes stored beside the entries lead to the signed root, then the first entry that
does not hash to its leaf is the first wrong one, for certain. Otherwise the leaf hashes were
rewritten too, and what is left are signs: the sequence that each fact carries, and hybrid time,
which never runs backwards.
"""

from dataclasses import dataclass

import orjson

from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier


@dataclass(frozen=True)
class HistoryFault:
    sequence: int | None
    """The first entry that is wrong; None if no entry is, or none can be named."""
    kind: str
    """Of an entry: `altered`, `dropped`, `out-of-place`, `rewritten`, `uncovered`, `truncated`,
    `unreadable`. Else: `leaf`, `signed-anew`, `checkpoint.signature`, `checkpoint.root`,
    `checkpoint.order`, `against.signature`."""
    what: str


class Stretch:
    """Entries that follow each other, as they were read."""

    def __init__(self, before: Frontier) -> None:
        """`before`: the frontier of all that precedes."""
        self.before = before
        self.encoded: list[bytes] = []
        self.leaves: list[bytes] = []
        self.stored: list[bytes] = []

    def extend(self, encoded: list[bytes], leaves: list[bytes], stored: list[bytes]) -> None:
        """`stored`: the leaf hashes that lie beside the entries, or empty bytes."""
        self.encoded += encoded
        self.leaves += leaves
        self.stored += stored

    def damaged_leaves(self) -> list[int]:
        """Sequences whose stored leaf hash is not that of the entry."""
        if self.stored == self.leaves:
            return []
        start = self.before.size
        pairs = zip(self.stored, self.leaves, strict=True)
        return [start + i for i, (stored, leaf) in enumerate(pairs) if stored not in (leaf, b"")]

    def cut_short(self, due: int, *, stranger: bool) -> HistoryFault:
        """Entry `due` should follow and does not; perhaps a stranger stands in its place."""
        what = f"entry {due} is not there"
        what += "; another one stands in its place" if stranger else ", nor any after it"
        return self.out_of_place() or self.altered() or HistoryFault(due, "dropped", what)

    def altered(self) -> HistoryFault | None:
        damaged = self.damaged_leaves()
        if not damaged:
            return None
        what = f"entry {damaged[0]} is not what its leaf hash was made of"
        return HistoryFault(damaged[0], "altered", what)

    def out_of_place(self) -> HistoryFault | None:
        """The first entry that cannot stand where it stands, or is no fact at all."""
        previous = HybridTime(-1)
        for sequence, encoded in enumerate(self.encoded, self.before.size):
            try:
                fact = Fact.from_json(orjson.loads(encoded))
            except (ValueError, AttributeError) as exc:
                return HistoryFault(sequence, "altered", f"entry {sequence} is no fact: {exc}")
            if fact.sequence != sequence:
                what = f"the fact in place {sequence} was written as entry {fact.sequence}"
                return HistoryFault(sequence, "out-of-place", what)
            if fact.time <= previous:
                what = f"entry {sequence} is older than the one before it"
                return HistoryFault(sequence, "out-of-place", what)
            previous = fact.time
        return None

    def leads_to(self, root: str) -> bool:
        """Whether the stored leaf hashes give this hexadecimal root."""
        frontier = self.before.copy()
        frontier.extend(self.stored)
        return frontier.root().hex() == root


def first_wrong(stretch: Stretch, root: str) -> HistoryFault:
    """Of a stretch whose entries do not give the signed root."""
    altered = stretch.altered()
    if altered is not None and stretch.leads_to(root):
        return altered
    signs = [sign for sign in (stretch.out_of_place(), altered) if sign is not None]
    start, end = stretch.before.size, stretch.before.size + len(stretch.encoded) - 1
    what = f"entry {start} or one after it, up to {end}, is not what was signed"
    return min(
        signs,
        key=lambda fault: fault.sequence or 0,
        default=HistoryFault(start, "rewritten", what),
    )
