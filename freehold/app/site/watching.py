"""Who looks on while a meeting moves bytes, and what can be told beforehand of how many."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol

from freehold.domain.artifact import object_key
from freehold.domain.errors import StorageFailed, Unreachable
from freehold.ports.object_store import ObjectStore
from freehold.replication.holdings import Holdings, hexadecimal, what_store_has

Kind = Literal["history", "artifacts"]
"""`history`: segments of logs, of which nobody knows the bytes before they are read or made."""
_PARALLEL = 16


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
    left = {hexadecimal(digest) for digest in digests}
    holdings: dict[str, Holdings] = {}
    size = 0
    for name, store in stores.items():
        if not left:
            break
        try:
            found = what_store_has(store, name=name)
            packed = found.places(left).unique("digest")
            alone = sorted(left & found.alone - set(packed["digest"]))
            size += int(packed["size"].sum()) + _sizes(alone, store)
        except (Unreachable, StorageFailed):
            continue
        holdings[name] = found
        left -= {*packed["digest"], *alone}
    return size, holdings


def size_to_leave(digests: Iterable[str], objects: ObjectStore, holdings: Holdings) -> int:
    """Bytes of those (`sha256:…`) that a store lacks and `objects` has."""
    lacking = holdings.lacking(sorted({hexadecimal(digest) for digest in digests}))
    return _sizes(lacking, objects)


def _sizes(digests: Iterable[str], store: ObjectStore) -> int:
    """`digests`: hexadecimal."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        found = pool.map(lambda digest: store.size(object_key(f"sha256:{digest}")), digests)
        return sum(size or 0 for size in found)
