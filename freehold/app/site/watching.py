"""Who looks on while a meeting moves bytes, and what can be told beforehand of how many."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Literal, Protocol

from freehold.domain.artifact import object_key
from freehold.domain.errors import StorageFailed, Unreachable
from freehold.ports.object_store import ObjectStore
from freehold.replication.ahead import ahead
from freehold.replication.digests import Digests
from freehold.replication.holdings import Holdings, what_store_has

Kind = Literal["history", "artifacts"]
"""`history`: segments of logs, of which nobody knows the bytes before they are read or made."""
_PARALLEL = 16
_AT_ONCE = 1024
"""Artifacts that are asked for before the first answer is taken."""


class Watch(Protocol):
    """Called from several threads."""

    @property
    def counts(self) -> bool:
        """Whether it is worth to ask beforehand how much there is."""

    def expects(self, kind: Kind, size: int) -> None:
        """So many bytes more are about to move."""

    def moved(self, kind: Kind, size: int) -> None:
        """So many bytes more have."""


class Unwatched:
    """Nobody looks."""

    counts = False

    def expects(self, kind: Kind, size: int) -> None:
        """Nothing is asked for it."""

    def moved(self, kind: Kind, size: int) -> None:
        """Nothing is shown of it."""


def size_to_fetch(
    digests: Iterable[str], stores: Mapping[str, ObjectStore]
) -> tuple[int, dict[str, Holdings]]:
    """Bytes of those (`sha256:…`) that some store has, and what was found out about the stores.
    One that fails is left out: whoever then fetches finds that too, and tells it."""
    left = Digests.of(digests)
    holdings: dict[str, Holdings] = {}
    size = 0
    for name, store in stores.items():
        if not left:
            break
        try:
            found = what_store_has(store, name=name)
            sizes = found.packed_sizes(left)
            unpacked = left.only(sizes < 0)
            is_alone = found.alone.find(unpacked.rows) >= 0
            size += int(sizes[sizes >= 0].sum()) + _sizes(unpacked.only(is_alone), store)
        except (Unreachable, StorageFailed):
            continue
        holdings[name] = found
        left = unpacked.only(~is_alone)
    return size, holdings


def size_to_leave(digests: Iterable[str], objects: ObjectStore, holdings: Holdings) -> int:
    """Bytes of those (`sha256:…`) that a store lacks and `objects` has."""
    return _sizes(holdings.lacking(Digests.of(digests)), objects)


def _sizes(digests: Digests, store: ObjectStore) -> int:
    with ThreadPoolExecutor(_PARALLEL) as pool:
        each = chain.from_iterable(digests.parts(_AT_ONCE))
        return sum(ahead(pool, partial(_size, store), each, _AT_ONCE))


def _size(store: ObjectStore, digest: str) -> int:
    """`digest`: hexadecimal."""
    return store.size(object_key(f"sha256:{digest}")) or 0
