"""Whether a log is what its writer signed; and if not, where it first differs.

Bytes are hashed into the Merkle tree of RFC 6962 and compared with every checkpoint. A checkpoint
covers a range, so that a root alone says only that something in the range is wrong;
`governance/suspicion.py` narrows it down to an entry. A checkpoint whose root is wrong while a
later one holds is itself what is wrong.

A log alone cannot show that its end was cut off, or signed anew by whoever holds the key. A
checkpoint that was kept elsewhere shows both.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat, takewhile

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.merkle import EMPTY_ROOT, Frontier, leaf_hash
from freehold.domain.signature import PublicKey
from freehold.governance.suspicion import HistoryFault, Stretch, first_wrong
from freehold.ports.ledger import KeepsLeaves, Ledger


@dataclass(frozen=True)
class HistoryReport:
    entries: int
    """Entries from the first on that a checkpoint vouches for."""
    checkpoints: int
    """Checkpoints that hold."""
    root: str
    """Hexadecimal root over `entries`."""
    faults: tuple[HistoryFault, ...] = ()
    """What follows the first wrong entry is not judged."""

    @property
    def holds(self) -> bool:
        return not self.faults

    @property
    def first_bad(self) -> int | None:
        """Sequence of the first wrong entry, if one could be named."""
        return min((f.sequence for f in self.faults if f.sequence is not None), default=None)


def verify_ledger(
    ledger: Ledger, public: PublicKey, against: Checkpoint | None = None
) -> HistoryReport:
    """`verify` with all that a ledger can give, while others may be appending to it."""
    end = max((checkpoint.size for checkpoint in ledger.checkpoints()), default=0)
    report = verify(
        ledger.lines(stop=end),
        takewhile(lambda checkpoint: checkpoint.size <= end, ledger.checkpoints()),
        public,
        against,
        leaves=ledger.leaves() if isinstance(ledger, KeepsLeaves) else (),
    )
    if report.first_bad is not None or next(ledger.lines(end), None) is None:
        return report
    if any(checkpoint.size > end for checkpoint in ledger.checkpoints()):
        return report  # appended since, with its checkpoint
    return replace(report, faults=(*report.faults, _uncovered(end)))


def verify(
    lines: Iterable[tuple[int, bytes]],
    checkpoints: Iterable[Checkpoint],
    public: PublicKey,
    against: Checkpoint | None = None,
    *,
    leaves: Iterable[bytes] = (),
) -> HistoryReport:
    """Reads the whole log once and keeps no more of it than one checkpoint's range.

    `lines` and `checkpoints` are what `Ledger` gives, untrusted. `leaves`: stored leaf hashes in
    the order of `lines`, untrusted too. `against`: a checkpoint of this log kept elsewhere.
    """
    verification = _Verification(lines, leaves)
    if against is not None and not against.is_signed_by(public):
        what = "the checkpoint that was kept elsewhere is not signed by this key"
        verification.faults.append(HistoryFault(None, "against.signature", what))
        against = None
    try:
        verification.follow(checkpoints, public, against)
    except IntegrityError as exc:
        verification.unreadable(exc)
    return HistoryReport(
        verification.entries,
        verification.checkpoints,
        verification.root.hex(),
        tuple(verification.faults),
    )


class _Verification:
    def __init__(self, lines: Iterable[tuple[int, bytes]], leaves: Iterable[bytes]) -> None:
        self._lines = zip(lines, chain(leaves, repeat(b"")), strict=False)
        self._frontier = Frontier()
        self._stretch = Stretch(Frontier())
        """What was read since the last checkpoint that holds."""
        self._doubt: tuple[HistoryFault, list[int]] | None = None
        """The first entry that would be wrong, and the checkpoints that say so, until a later
        one says otherwise."""
        self.entries, self.checkpoints, self.root = 0, 0, EMPTY_ROOT
        self.faults: list[HistoryFault] = []

    def follow(
        self, checkpoints: Iterable[Checkpoint], public: PublicKey, against: Checkpoint | None
    ) -> None:
        kept_root = None
        for checkpoint in self._signed(checkpoints, public):
            if against is not None and kept_root is None and against.size <= checkpoint.size:
                kept_root = self._root_at(against.size)
            root = self._root_at(checkpoint.size)
            if root is None:
                break
            if root.hex() == checkpoint.root:
                self._vouch()
            else:
                self._question(checkpoint)
        else:
            if against is not None and kept_root is None:
                kept_root = self._root_at(against.size, required=False)
            self._finish()
        self._settle()
        if against is not None:
            self._compare(against, kept_root)

    def unreadable(self, reason: IntegrityError) -> None:
        self._settle()
        at = self._frontier.size
        what = f"entry {at}, one after it, or a checkpoint cannot be read: {reason.why}"
        self.faults.append(HistoryFault(at, "unreadable", what))

    def _signed(self, checkpoints: Iterable[Checkpoint], public: PublicKey) -> Iterator[Checkpoint]:
        previous = 0
        for checkpoint in checkpoints:
            if not checkpoint.is_signed_by(public):
                kind, what = "checkpoint.signature", "is not signed by this key"
            elif checkpoint.size <= previous:
                kind, what = "checkpoint.order", f"stands after that of size {previous}"
            else:
                previous = checkpoint.size
                yield checkpoint
                continue
            what = f"the checkpoint of size {checkpoint.size} {what}"
            self.faults.append(HistoryFault(None, kind, what))

    def _root_at(self, size: int, *, required: bool = True) -> bytes | None:
        """The root over the first `size` entries, read now; None if they are not all there."""
        start, encoded, stored = self._frontier.size, [], []
        stranger = False
        due = start
        try:
            for (sequence, data), leaf in islice(self._lines, size - start):
                if sequence != due:
                    stranger = True
                    break
                encoded.append(data)
                stored.append(leaf)
                due += 1
        finally:  # what was read counts, even if the next page cannot be
            leaves = list(map(leaf_hash, encoded))
            self._stretch.extend(encoded, leaves, stored)
            self._frontier.extend(leaves)
        if due == size:
            return self._frontier.root()
        if required or stranger:
            self._doubt = self._doubt or (self._stretch.cut_short(due, stranger=stranger), [])
        return None

    def _vouch(self) -> None:
        if self._doubt is not None:
            for size in self._doubt[1]:
                what = f"the checkpoint of size {size} has another root than its entries"
                self.faults.append(HistoryFault(None, "checkpoint.root", what))
            self._doubt = None
        for sequence in self._stretch.damaged_leaves():
            what = f"the leaf hash stored beside entry {sequence} is wrong; the entry holds"
            self.faults.append(HistoryFault(None, "leaf", what))
        self.entries, self.root = self._frontier.size, self._frontier.root()
        self.checkpoints += 1
        self._stretch = Stretch(self._frontier.copy())

    def _question(self, checkpoint: Checkpoint) -> None:
        if self._doubt is None:
            self._doubt = (first_wrong(self._stretch, checkpoint.root), [])
        self._doubt[1].append(checkpoint.size)
        self._stretch = Stretch(self._frontier.copy())

    def _finish(self) -> None:
        """What stands after the last checkpoint is no part of the signed log."""
        beyond = self._frontier.size > self.entries or next(self._lines, None) is not None
        if beyond and self._doubt is None:
            self.faults.append(_uncovered(self.entries))

    def _settle(self) -> None:
        if self._doubt is not None:
            self.faults.append(self._doubt[0])
            self._doubt = None

    def _compare(self, against: Checkpoint, root: bytes | None) -> None:
        size = self._frontier.size
        if root is not None and root.hex() != against.root:
            if all(f.sequence is None or f.sequence >= against.size for f in self.faults):
                what = f"the first {against.size} entries are not those signed for earlier"
                self.faults.append(HistoryFault(None, "signed-anew", what))
        elif root is None and size < against.size and self._entries_are_innocent():
            what = f"entry {size} and what follows it were cut off: there were {against.size}"
            self.faults.append(HistoryFault(size, "truncated", what))

    def _entries_are_innocent(self) -> bool:
        return all(fault.sequence is None for fault in self.faults)


def _uncovered(sequence: int) -> HistoryFault:
    what = f"no checkpoint covers entry {sequence} and what follows it"
    return HistoryFault(sequence, "uncovered", what)
