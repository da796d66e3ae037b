"""Taking another writer's log out of the stores, believing nothing before it verifies."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.signature import PublicKey
from freehold.ports.ledger import HeldLog, KeepsLogs, Stretch
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import LogFault
from freehold.replication.reading import LogReader, Read
from freehold.replication.segment import check_entry

BATCH = 50_000
"""Entries that are received in one transaction, unless the checkpoints lie farther apart. After
each, a ledger may have to fold all that it holds anew: a long history should not come in many."""
_PARALLEL = 8


@dataclass(frozen=True)
class Pulled:
    writer: str
    entries: int
    """That are new."""
    size: int
    """Entries that are now held."""
    newest: Checkpoint | None
    """The greatest validly signed head that was found beyond what was held; with faults it may be
    beyond `size`."""
    faults: tuple[LogFault, ...]


def pull_log(
    writer: str,
    ledger: KeepsLogs,
    stores: Mapping[str, ObjectStore],
    public: PublicKey,
    *,
    fold: bool = True,
    read: Read = lambda _store, _size: None,
) -> Pulled:
    """Receive what the stores have of a log beyond what the ledger holds.

    `stores`: by the names under which faults are reported; they complete each other. `public`: the
    believed key of this log. Verified are the digest of each segment, each line as a canonical
    fact in its place with growing hybrid time, and the heads' signatures here; the Merkle roots by
    `receive`. Nothing new costs one listing per store. Flat memory: a batch and two segments.
    `fold`: whether the state takes it in now; whoever pulls several logs lets it do so once, by
    `receive`. `read` is told the bytes of segments. Raises IntegrityError `log.own`; what is wrong
    with the stores is among the faults.
    """
    held = next((log for log in ledger.logs() if log.writer == writer), None)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        pull = _Pull(writer, ledger, LogReader(writer, stores, pool, read), held)
        found = pull.reader.heads(pull.size, public)
        before = pull.size
        if found:
            pull.follow(found)
        if fold:
            ledger.receive(())
        return Pulled(
            writer, pull.size - before, pull.size, found[-1] if found else None, pull.reader.faults
        )


class _Pull:
    def __init__(
        self, writer: str, ledger: KeepsLogs, reader: LogReader, held: HeldLog | None
    ) -> None:
        self.writer, self.ledger, self.reader = writer, ledger, reader
        self.size = held.size if held else 0
        self.time: HybridTime | None = None

    def follow(self, found: Sequence[Checkpoint]) -> None:
        heads = self._uncontradicted(found)
        if self.size:
            last = next(self.ledger.log_lines(self.writer, self.size - 1), None)
            if last is not None:
                self.time = check_entry(last[1], self.writer, self.size - 1, None)
        most = BATCH
        while heads and heads[-1].size > self.size:
            heads = [head for head in heads if head.size > self.size]
            within = [head for head in heads if head.size <= self.size + BATCH] or heads[:1]
            within = within[:most]
            taken = self._take(within)
            if taken is None:
                if not self.reader.retry_missing():
                    return
            elif taken:
                self.reader.confirm_used()
                most = min(2 * most, BATCH)
            elif len(within) > 1:
                most = len(within) // 2
            elif not self.reader.distrust_used():
                return

    def _uncontradicted(self, found: Sequence[Checkpoint]) -> list[Checkpoint]:
        """Of two signed heads of one size with different roots, neither is followed, nor what
        comes after."""
        for one, other in pairwise(found):
            if one.size == other.size:
                what = f"two different heads of {one.size} entries are signed by its key"
                self.reader.fault("", "log.forked", what, size=one.size)
                return [head for head in found if head.size < one.size]
        return list(found)

    def _take(self, heads: Sequence[Checkpoint]) -> bool | None:
        """Receive up to the last of these heads, or else the last that the lines reach.

        False if a root is not the signed one, None if the lines do not reach any of the heads.
        """
        self.reader.used.clear()
        lines = list(self.reader.lines(self.size, heads[-1].size, self.time))
        covered = [head for head in heads if head.size <= self.size + len(lines)]
        if not covered:
            return None
        del lines[covered[-1].size - self.size :]
        try:
            self.ledger.receive([Stretch(self.writer, self.size, lines, covered)], fold=False)
        except IntegrityError as exc:
            if exc.code == "log.own" or not exc.code.startswith("log."):
                raise
            if len(covered) == 1:
                size = covered[0].size
                self.reader.fault("", "root.wrong", exc.why, sequence=self.size, size=size)
            return False
        self.size = covered[-1].size
        self.time = check_entry(lines[-1], self.writer, self.size - 1, None)
        return True
