"""Reading what a store has of a log that the ledger holds too, to find what is corrupt there."""

from collections.abc import Iterable, Sequence

from freehold.domain.signature import PublicKey
from freehold.ports.ledger import KeepsLogs
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import LogFault, NotBelieved
from freehold.replication.head import read_head
from freehold.replication.layout import HeadName, SegmentName
from freehold.replication.segment import SEGMENT_LIMIT, unpack_lines

_DAMAGED = ("segment.corrupt", "segment.missing")


def mendable(ledger: KeepsLogs, faults: Iterable[LogFault]) -> set[tuple[str, str]]:
    """Writer and store of each damaged copy that can be put right from what is held here:
    `publish_log` does it where it is told to verify."""
    held = {log.writer: log.size for log in ledger.logs()}
    return {
        (fault.writer, fault.store)
        for fault in faults
        if fault.kind in _DAMAGED
        and fault.sequence is not None
        and fault.sequence < held.get(fault.writer, 0)
    }


def good_segments(
    ledger: KeepsLogs,
    writer: str,
    store: ObjectStore,
    segments: Iterable[SegmentName],
    name: str,
) -> tuple[list[SegmentName], set[SegmentName], list[LogFault]]:
    """Those that hold the ledger's own lines; those whose bytes are not what their names say; all
    faults. What tells another story under a true name is neither: it may be evidence."""
    good, corrupt, faults = [], set(), []
    for segment in segments:
        try:
            lines = unpack_lines(segment, store.get(segment.key, 0, SEGMENT_LIMIT + 1))
            _compare(ledger, segment, lines)
        except KeyError:
            continue
        except NotBelieved as exc:
            if exc.kind != "entry.wrong":
                corrupt.add(segment)
            faults.append(LogFault(writer, name, exc.kind, exc.what, sequence=segment.first))
        else:
            good.append(segment)
    return good, corrupt, faults


def good_heads(
    heads: Iterable[HeadName], public: PublicKey, store: ObjectStore, name: str
) -> tuple[list[HeadName], set[HeadName], list[LogFault]]:
    """Those that are signed and whole; those whose bytes are not what their names say; all
    faults."""
    good, corrupt, faults = [], set(), []
    for head in heads:
        try:
            read_head(store, head, public)
        except KeyError:
            continue
        except NotBelieved as exc:
            if exc.kind == "head.corrupt":
                corrupt.add(head)
            faults.append(LogFault(head.writer, name, exc.kind, exc.what, size=head.size))
        else:
            good.append(head)
    return good, corrupt, faults


def _compare(ledger: KeepsLogs, segment: SegmentName, lines: Sequence[bytes]) -> None:
    ours = ledger.log_lines(segment.writer, segment.first, segment.stop)
    for line, (sequence, held) in zip(lines, ours, strict=False):
        if line != held:
            raise NotBelieved("entry.wrong", f"it has another entry {sequence}")
