"""A ledger that lives as long as its process: for tests, trials and dry runs."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from freehold.adapters.memory.state import MemoryState, Staged
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.continuation import continued
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft, Entry
from freehold.domain.head import Head
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier, root_of
from freehold.domain.ordering import in_order, outline_of
from freehold.domain.projection import Folding, Projection, State
from freehold.domain.rerecording import drafts_of
from freehold.ports.clock import Clock
from freehold.ports.ledger import (
    Decision,
    HeldLog,
    KeepsLeaves,
    MergingLedger,
    Rebuilds,
    Stretch,
)
from freehold.ports.signer import Signer


@dataclass
class _Log:
    """One writer's, the own one too."""

    entries: list[Entry] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    time: HybridTime = field(default_factory=lambda: HybridTime(0))
    folded: int = 0
    announced: int = 0

    def copy(self) -> "_Log":
        return replace(
            self,
            entries=self.entries.copy(),
            checkpoints=self.checkpoints.copy(),
            frontier=self.frontier.copy(),
        )


class MemoryLedger(MergingLedger, Rebuilds, KeepsLeaves):
    """Every law of the port but durability. Folds everything anew when another log grows."""

    def __init__(
        self,
        *,
        writer: str,
        signer: Signer,
        clock: Clock,
        projections: Sequence[Projection] = (),
    ) -> None:
        self._writer, self._signer, self._clock = writer, signer, clock
        self._folding = Folding(projections)
        self._lock = threading.RLock()
        self._deciding = False
        self._logs: dict[str, _Log] = {writer: _Log()}
        self._state = MemoryState()

    @property
    def writer(self) -> str:
        return self._writer

    @property
    def state(self) -> State:
        return self._state

    def append(self, drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        return self.decide(lambda _: drafts)

    def decide(self, decision: Decision) -> tuple[Entry, ...]:
        with self._lock:
            if self._deciding:
                raise RuntimeError("a decision must not append to its own ledger")
            self._deciding = True
            try:
                drafts = decision(self._state)
                return self._extend(drafts) if drafts else ()
            finally:
                self._deciding = False

    def _extend(self, drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        wall, own = self._clock(), self._logs[self._writer]
        head = Head(self._writer, own.frontier.copy(), own.time)
        entries = head.extend(drafts, wall, self._unannounced())
        staged = Staged(self._state.rows)
        for entry in entries:
            if self._folding.reads(entry.fact):
                self._folding.fold(entry.encoded, staged)
        checkpoint = head.checkpoint(wall, self._signer.public.fingerprint)
        signature = self._signer.sign(checkpoint.signed_bytes()).hex()
        self._state.rows = staged.rows
        own.frontier, own.time, own.folded = head.frontier, head.time, head.frontier.size
        own.entries.extend(entries)
        own.checkpoints.append(replace(checkpoint, signature=signature))
        for log in self._logs.values():
            log.announced = log.folded
        return entries

    def _unannounced(self) -> dict[str, str]:
        return {
            writer: f"{log.folded}:{root_of(one.leaf for one in log.entries[: log.folded]).hex()}"
            for writer, log in self._logs.items()
            if writer != self._writer and log.folded != log.announced
        }

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        return self.log_lines(self._writer, start, stop)

    def leaves(self) -> Iterator[bytes]:
        return (entry.leaf for entry in tuple(self._logs[self._writer].entries))

    def checkpoints(self) -> Iterator[Checkpoint]:
        return iter(tuple(self._logs[self._writer].checkpoints))

    def logs(self) -> tuple[HeldLog, ...]:
        return tuple(
            HeldLog(
                writer=writer,
                size=log.frontier.size,
                root=log.frontier.root().hex(),
                folded=log.folded,
                checkpoint=log.checkpoints[-1] if log.checkpoints else None,
            )
            for writer, log in sorted(self._logs.items())
        )

    def log_lines(
        self, writer: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        entries = self._logs[writer].entries[start:stop] if writer in self._logs else ()
        return ((entry.fact.sequence, entry.encoded) for entry in tuple(entries))

    def log_checkpoints(self, writer: str, above: int = 0) -> Iterator[Checkpoint]:
        found = self._logs[writer].checkpoints if writer in self._logs else ()
        return iter(tuple(one for one in found if one.size > above))

    def receive(self, stretches: Sequence[Stretch], *, fold: bool = True) -> int:
        with self._lock:
            logs = {writer: log.copy() for writer, log in self._logs.items()}
            new = sum(self._take(logs, stretch) for stretch in stretches)
            if not fold:
                self._logs = logs
            elif any(log.folded < log.frontier.size for log in logs.values()):
                self._fold_all(logs)
            return new

    def _take(self, logs: dict[str, _Log], stretch: Stretch) -> int:
        if stretch.writer == self._writer:
            raise IntegrityError(
                f"the log {self._writer} is this ledger's own: nobody else adds to it",
                code="log.own",
            )
        log = logs.setdefault(stretch.writer, _Log())
        held = log.frontier.size
        found = continued(
            stretch.writer,
            log.frontier,
            log.time,
            stretch.first,
            stretch.lines,
            stretch.checkpoints,
        )
        log.entries.extend(found)
        if log.entries:
            log.time = log.entries[-1].fact.time
        end = log.frontier.size
        log.checkpoints.extend(one for one in stretch.checkpoints if held < one.size <= end)
        return end - held

    def continue_as(
        self, writer: str, signer: Signer, keep: int | None, drafts: Sequence[Draft] = ()
    ) -> int:
        with self._lock:
            logs = {name: replace(log.copy(), announced=0) for name, log in self._logs.items()}
            old, kept = logs[self._writer], _Log()
            keep = old.frontier.size if keep is None else keep
            kept.entries = old.entries[:keep]
            kept.frontier.extend(entry.leaf for entry in kept.entries)
            kept.time = kept.entries[-1].fact.time if kept.entries else kept.time
            kept.checkpoints = [one for one in old.checkpoints if one.size <= keep]
            logs[self._writer], logs[writer] = kept, _Log()
            again = drafts_of([entry.fact for entry in old.entries[keep:]], writer)
            self._writer, self._signer = writer, signer
            self._fold_all(logs)
            if again or drafts:
                self._extend([*again, *drafts])
            return len(again)

    def rebuild(self) -> int:
        with self._lock:
            return self._fold_all(self._logs)

    def _fold_all(self, logs: dict[str, _Log]) -> int:
        """Takes the logs as its own once all is folded."""
        folded = dict.fromkeys(logs, 0)
        waiting = {
            writer: ((outline_of(entry.fact), entry.encoded) for entry in tuple(log.entries))
            for writer, log in logs.items()
        }
        times: dict[tuple[str, int], HybridTime] = {}
        staged = Staged({})
        for place, encoded in in_order(waiting, folded, lambda *entry: times[entry]):
            times[place.writer, place.sequence] = place.time
            self._folding.refold(encoded, staged)
        for writer, size in folded.items():
            logs[writer].folded = size
        self._logs, self._state.rows = logs, staged.rows
        return len(times)

    def close(self) -> None:
        """Nothing is kept outside; what was appended can still be read."""
