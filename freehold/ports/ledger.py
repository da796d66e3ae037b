"""A writer's signed, append-only log of facts, with the tables folded from it.

Laws
- Atomic: all drafts of one call are appended, with their projections, or none is.
- Durable: when a call has returned, a crash of the process or of the machine loses nothing of it.
- Ordered: sequences have no gap; hybrid time never goes backwards within a log.
- Covered: each call's last entry is covered by a signed checkpoint, stored in the same
  transaction.
- Serial: two calls, from any thread or process, take effect one after the other; each sees what
  the earlier one did.
- A refused call changes nothing. Drafts that are not JSON raise ValueError or TypeError.
- Folded: projections see the stored bytes, so that a rebuild gives the same state. A ledger that
  was folded by other projections since it was opened refuses to append: Conflict.
- Reading never blocks appending for longer than a page takes to read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Draft, Entry
from freehold.domain.projection import State
from freehold.ports.signer import Signer

Decision = Callable[[State], Sequence[Draft]]
"""Runs inside the transaction and sees the state as of the last entry. Must be quick and pure;
raising abandons the append. It must not append itself: RuntimeError."""


class Ledger(ABC):
    @property
    @abstractmethod
    def writer(self) -> str:
        """The name under which this log's entries stand."""

    @property
    @abstractmethod
    def state(self) -> State:
        """The projections, as of the last append."""

    @abstractmethod
    def append(self, drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Raises StorageFailed when the disk does not take it; then nothing was appended."""

    @abstractmethod
    def decide(self, decision: Decision) -> tuple[Entry, ...]:
        """Append what `decision` returns (perhaps nothing), unless it raises."""

    @abstractmethod
    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Stored sequence and canonical bytes, in order, as they lie: not verified, not parsed."""

    @abstractmethod
    def checkpoints(self) -> Iterator[Checkpoint]:
        """All that are stored, by size, as they lie: not verified. The last is the head."""

    @abstractmethod
    def close(self) -> None: ...


class Rebuilds(ABC):
    """A ledger that can throw its projections away and fold them again."""

    @abstractmethod
    def rebuild(self) -> int:
        """Returns the number of facts folded."""


class KeepsLeaves(ABC):
    """A ledger that stores each entry's leaf hash, by which a damaged entry can be named."""

    @abstractmethod
    def leaves(self) -> Iterator[bytes]:
        """As they lie, in the order of `lines`."""


@dataclass(frozen=True)
class HeldLog:
    """What a ledger holds of one writer's log."""

    writer: str
    size: int
    """Entries from 0 that are held, verified."""
    root: str
    """Hexadecimal RFC 6962 root over them."""
    folded: int
    """Entries from 0 that the state was folded from: all, but for those that follow from facts of
    another log which are not here yet."""
    checkpoint: Checkpoint | None
    """The newest that is held."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive entries of another writer's log, covered by checkpoints."""

    writer: str
    first: int
    """Sequence of the first line."""
    lines: Sequence[bytes]
    """Canonical bytes, as that writer stored them."""
    checkpoints: Sequence[Checkpoint]
    """By size, all beyond `first`; the last covers the last line. Their signatures were verified
    by whoever calls."""


class KeepsLogs(ABC):
    """A ledger that holds other writers' logs beside its own, and folds all of them into one state.

    Laws
    - Believed last: `receive` takes a stretch only if it continues what is held and leads to the
      root of each of its checkpoints; else it raises and takes none of the call.
    - One state: two ledgers that hold the same entries have the same state, whatever the order
      of their arrival. Facts are folded in the order of `freehold.domain.ordering`.
    - Causal: an entry is folded once all that its writer had seen is here.
    - Idempotent: entries that are held already are passed over.
    - An own append comes after all that was folded before it, and says so in its `seen`.
    """

    @abstractmethod
    def logs(self) -> tuple[HeldLog, ...]:
        """By writer, the own log too."""

    @abstractmethod
    def log_lines(
        self, writer: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """As `lines`; of a log that is not held, none."""

    @abstractmethod
    def log_checkpoints(self, writer: str, above: int = 0) -> Iterator[Checkpoint]:
        """Those of a size above `above`, by size."""

    @abstractmethod
    def receive(self, stretches: Sequence[Stretch], *, fold: bool = True) -> int:
        """Number of entries that are new, all of them durable. Raises IntegrityError
        `log.does-not-continue`, `log.wrong-root`, `log.wrong-entry`, `log.own`.

        `fold`: whether to fold now what can be folded; else the next call that does takes it
        along, even one without stretches. Old logs that come by parts are folded once so.
        """

    @abstractmethod
    def continue_as(
        self, writer: str, signer: Signer, keep: int | None, drafts: Sequence[Draft] = ()
    ) -> int:
        """The own log becomes one of the others, cut to its first `keep` entries (None: all that it
        has by then), and a new one of this name, with this key, takes its place; what was cut off
        is appended to the new one, in the same order, and then `drafts`. Returns how many were cut
        off. One transaction."""


class MergingLedger(Ledger, KeepsLogs, ABC):
    """What a site keeps its state in."""
