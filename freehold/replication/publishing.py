"""Leaving a log in a meeting store: the own one, and what is held of others'.

Segments first, the head that covers them last, so that what a head promises is there. Nothing is
overwritten but what is corrupt; small segments are merged, and deleted once the merged one stands.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.signature import PublicKey
from freehold.ports.ledger import KeepsLogs, Ledger
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import LogFault
from freehold.replication.head import encode_head
from freehold.replication.inspection import good_heads, good_segments
from freehold.replication.layout import HeadName, SegmentName, log_folder, public_key_name
from freehold.replication.own_log import holds_head, refuse_conflict
from freehold.replication.segment import SEGMENT_TARGET, pack_lines

HEADS_APART = 10_000
"""Entries between two heads, where a log is published or thinned in one go."""
MERGE_AT = 32
"""Small segments at which they are merged."""
SMALL = 1_000
"""Entries of which a segment has fewer, to count as small."""

READ_BACK = 64
"""Segments that are read again in one go, where no head says that they were put by whoever holds
the log; of more, the entries are written once more."""


@dataclass(frozen=True)
class Published:
    writer: str
    segments: int
    """That were written, merged ones among them."""
    entries: int
    """That the store lacked."""
    bytes: int
    """Of segments, compressed."""
    size: int
    """Entries that the store now has, as far as this ledger knows."""
    faults: tuple[LogFault, ...] = ()
    """What was found corrupt; it was replaced if `verify` was asked for."""
    strange: int = 0
    """Heads of another writer's log, of sizes that are held, that are none of the checkpoints that
    this ledger has: `witness.examine` tells whether the writer signed two histories."""


def publish_log(
    ledger: KeepsLogs,
    writer: str,
    public: PublicKey,
    store: ObjectStore,
    *,
    verify: bool = False,
    name: str = "",
) -> Published:
    """Put what the store lacks of a log, up to the newest checkpoint that the ledger holds.

    One listing tells what it lacks. The own log is first compared with the signed heads that the
    store has: raises LogConflict `log.behind`, `log.forked`. `verify`: read all that is there, and
    replace what is corrupt. `name`: of the store, for faults.
    """
    there = _There.of(writer, store)
    newest = next((log.checkpoint for log in ledger.logs() if log.writer == writer), None)
    faults: list[LogFault] = []
    own = isinstance(ledger, Ledger) and ledger.writer == writer
    if own:
        faults += refuse_conflict(ledger, writer, public, store, there.heads, name)
    if newest is None or newest.size == 0:
        return Published(writer, 0, 0, 0, 0, tuple(faults))
    publishing = _Publishing(ledger, writer, store, newest)
    if verify:
        faults += publishing.heal(there, public, name)
        there = _There.of(writer, store)
    if not there.public_key:
        store.put(public_key_name(writer), public.pem)
    faults += publishing.complete(there, name)
    publishing.sign(there.heads)
    publishing.merge(there)
    known = [head for head in there.heads if not own and head.size <= newest.size]
    return Published(
        writer,
        len(publishing.written),
        publishing.entries,
        publishing.bytes,
        newest.size,
        tuple(dict.fromkeys(faults)),
        sum(1 for head in known if not holds_head(ledger, head)),
    )


@dataclass(frozen=True)
class _There:
    """What a store has of a log, by its names."""

    public_key: bool
    heads: list[HeadName]
    """By size."""
    segments: list[SegmentName]
    """By first entry."""

    @classmethod
    def of(cls, writer: str, store: ObjectStore) -> "_There":
        keys = list(store.keys(log_folder(writer)))
        heads = (head for head in map(HeadName.parse, keys) if head is not None)
        segments = (segment for segment in map(SegmentName.parse, keys) if segment is not None)
        return cls(public_key_name(writer) in keys, sorted(heads), sorted(segments))


class _Publishing:
    def __init__(
        self, ledger: KeepsLogs, writer: str, store: ObjectStore, newest: Checkpoint
    ) -> None:
        self._ledger, self._writer, self._store = ledger, writer, store
        self._newest = newest
        self.written: set[SegmentName] = set()
        self.entries = self.bytes = 0

    def heal(self, there: "_There", public: PublicKey, name: str) -> list[LogFault]:
        """Read all that is there and put right what is corrupt."""
        segments = [segment for segment in there.segments if segment.stop <= self._newest.size]
        good, corrupt, faults = good_segments(
            self._ledger, self._writer, self._store, segments, name
        )
        self.fill(good)
        for segment in corrupt - self.written:
            self._store.delete(segment.key)
        _, wrong, more = good_heads(there.heads, public, self._store, name)
        for head in wrong:
            held = next(self._ledger.log_checkpoints(self._writer, head.size - 1), None)
            if held is not None and encode_head(held)[0] == head:
                self._store.put(head.key, encode_head(held)[1])
            else:
                self._store.delete(head.key)
        self._store.put(public_key_name(self._writer), public.pem)
        return [*faults, *more]

    def complete(self, there: "_There", name: str) -> list[LogFault]:
        """What the store lacks. Names beyond the last head that is there and held here may be
        false, for what stands before a head was put before it: they count once they are read."""
        signed = self._signed(there.heads)
        known = [one for one in there.segments if one.stop <= signed]
        beyond = [one for one in there.segments if signed < one.stop <= self._newest.size]
        good, corrupt, faults = good_segments(
            self._ledger, self._writer, self._store, beyond[:READ_BACK], name
        )
        self.fill(sorted([*known, *good]))
        for segment in corrupt - self.written:
            self._store.delete(segment.key)
        return faults

    def fill(self, segments: Iterable[SegmentName]) -> None:
        """Segments where none of those that are there has entries.

        One that claims more than is held here counts for nothing: it may be a lie.
        """
        at = 0
        for segment in segments:
            if segment.stop > self._newest.size:
                continue
            if segment.first > at:
                self.entries += self._write(at, segment.first)
            at = max(at, segment.stop)
        if at < self._newest.size:
            self.entries += self._write(at, self._newest.size)

    def sign(self, heads: Sequence[HeadName]) -> None:
        """Heads beyond the greatest that is there and held here too, some apart and the newest."""
        kept: dict[int, Checkpoint] = {}
        for checkpoint in self._ledger.log_checkpoints(self._writer, self._signed(heads)):
            if checkpoint.size <= self._newest.size:
                kept[checkpoint.size // HEADS_APART] = checkpoint
        for checkpoint in kept.values():
            name, data = encode_head(checkpoint)
            self._store.put(name.key, data)

    def _signed(self, heads: Sequence[HeadName]) -> int:
        """Entries that the greatest head covers which is there and held here too."""
        known = (head.size for head in reversed(heads) if holds_head(self._ledger, head))
        return next(known, 0)

    def merge(self, there: _There) -> None:
        """Many small segments into one, and then fewer heads."""
        segments = {*there.segments, *self.written}
        small = sorted(s for s in segments if s.count < SMALL and s.stop <= self._newest.size)
        if len(small) < MERGE_AT:
            return
        for run in _runs(small):
            before = set(self.written)
            self._write(run[0].first, max(segment.stop for segment in run))
            for segment in set(run) - (self.written - before):
                self._store.delete(segment.key)
        self._thin(there.heads)

    def _thin(self, heads: Sequence[HeadName]) -> None:
        """Only those that this ledger holds too: others may be evidence."""
        held = [head for head in heads if holds_head(self._ledger, head)]
        last = {head.size // HEADS_APART: head.size for head in held}
        for head in held:
            if head.size < last[head.size // HEADS_APART] and head.size < self._newest.size:
                self._store.delete(head.key)

    def _write(self, first: int, stop: int) -> int:
        for start, lines in _filled(self._ledger.log_lines(self._writer, first, stop), first):
            name, data = pack_lines(self._writer, start, lines)
            self._store.put(name.key, data)
            self.written.add(name)
            self.bytes += len(data)
        return stop - first


def _filled(entries: Iterable[tuple[int, bytes]], first: int) -> Iterator[tuple[int, list[bytes]]]:
    """First sequence and lines of each segment to be written."""
    lines: list[bytes] = []
    size = 0
    for _, line in entries:
        lines.append(line)
        size += len(line) + 1
        if size >= SEGMENT_TARGET:
            yield first, lines
            first, lines, size = first + len(lines), [], 0
    if lines:
        yield first, lines


def _runs(segments: Iterable[SegmentName]) -> Iterator[list[SegmentName]]:
    """Those that touch or overlap, two or more together."""
    run: list[SegmentName] = []
    stop = 0
    for segment in segments:
        if run and segment.first > stop:
            if len(run) > 1:
                yield run
            run = []
        stop = max(stop, segment.stop) if run else segment.stop
        run.append(segment)
    if len(run) > 1:
        yield run
