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

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Draft, Entry
from freehold.domain.projection import State

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
