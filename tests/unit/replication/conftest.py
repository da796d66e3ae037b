"""Writers, what they left in a store, and readers, all in memory."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Draft
from freehold.ports.contracts.signer import TransientSigner

START = 1_700_000_000_000_000


class Party:
    """A ledger with its key."""

    def __init__(self, writer: str, signer: TransientSigner) -> None:
        self.writer, self.signer, self.public = writer, signer, signer.public
        self.ledger = MemoryLedger(
            writer=writer, signer=signer, clock=count(START, 1000).__next__, projections=()
        )

    def write(self, *sizes: int, text: str = "") -> "Party":
        """One append of so many entries for each size."""
        for size in sizes:
            self.ledger.append([Draft("note.written", {"text": text, "n": n}) for n in range(size)])
        return self

    def size_of(self, writer: str) -> int:
        return next((log.size for log in self.ledger.logs() if log.writer == writer), 0)

    def root_of(self, writer: str) -> str:
        return next((log.root for log in self.ledger.logs() if log.writer == writer), "")

    def signed(self, size: int, root: str) -> Checkpoint:
        """What this party's key says, true or not."""
        bare = Checkpoint(self.writer, size, root, START, self.public.fingerprint)
        return replace(bare, signature=self.signer.sign(bare.signed_bytes()).hex())


@pytest.fixture(scope="session")
def party() -> Callable[..., Party]:
    """A new one of a name; with the key of another if that is given."""

    def make(writer: str, like: Party | None = None) -> Party:
        return Party(writer, like.signer if like else TransientSigner())

    return make


@pytest.fixture
def store() -> Iterator[MemoryObjectStore]:
    yield MemoryObjectStore()


class CountingStore(MemoryObjectStore):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.listings = self.bodies = self.puts = 0

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        self.listings += 1
        return super().keys(prefix, after)

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        self.bodies += 1
        return super().get(key, start, stop)

    def put(self, key: str, data: bytes) -> None:
        self.puts += 1
        super().put(key, data)


@pytest.fixture
def counting() -> CountingStore:
    return CountingStore()
