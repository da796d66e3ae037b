"""Leaving artifacts in a meeting store: small ones in packs, large ones by themselves."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

from freehold.domain.artifact import object_key
from freehold.ports.object_store import LocalPaths, Moved, MovesFiles, ObjectStore
from freehold.replication.ahead import ahead
from freehold.replication.digests import Digests
from freehold.replication.holdings import Holdings, what_store_has
from freehold.replication.layout import pack_index_key, pack_key
from freehold.replication.pack import ARTIFACT_LIMIT, MEMBERS_LIMIT, PACK_TARGET, encode_pack

_PARALLEL = 16
_PARALLEL_LARGE = 4
_TASK = 16
"""Artifacts that one thread reads in one go: at most as many MiB."""
_READ_AHEAD = 4
"""Such tasks under way."""
_PACKS_AHEAD = 2
"""Packs that are being made and put, each three times its size in memory."""
_WORTH_PACKING = 4
"""Members below which a pack costs more requests than it saves."""
_CHUNK = 8 * 1024 * 1024


@dataclass(frozen=True)
class Sent:
    artifacts: int
    """That the store lacked and has now."""
    packs: int
    bytes: int
    """Of artifacts."""
    missing: tuple[str, ...]
    """`sha256:…` that the own store does not have."""
    corrupt: tuple[str, ...]
    """`sha256:…` whose bytes in the own store have another digest; they were not sent."""


def publish_artifacts(
    digests: Iterable[str],
    objects: ObjectStore,
    store: ObjectStore,
    *,
    holdings: Holdings | None = None,
    anew: bool = False,
    moved: Moved = lambda _: None,
) -> Sent:
    """Put those of `digests` (`sha256:…`) that the store lacks; every one is verified first.

    `holdings`: what the store has, if that is known. `anew`: put them even if the store claims to
    have them, where a reader found them corrupt. `moved` is told from several threads. Memory is
    flat, except for large artifacts where not both stores can move files. Interrupted and repeated,
    it goes on where it was, by packs. Raises ValueError for what is no digest, and what the stores
    raise.
    """
    wanted = Digests.of(digests)
    if not anew:
        wanted = (holdings or what_store_has(store)).lacking(wanted)
    with ThreadPoolExecutor(_PARALLEL) as pool, ThreadPoolExecutor(_PARALLEL_LARGE) as large:
        sending = _Sending(objects, store, moved)
        for found in sending.read(wanted, pool):
            sending.gather(found, large)
        sending.finish(large)
    return Sent(
        sending.artifacts,
        sending.packs,
        sending.bytes,
        tuple(f"sha256:{digest}" for digest in sorted(sending.missing)),
        tuple(f"sha256:{digest}" for digest in sorted(sending.corrupt)),
    )


Member = tuple[str, bytes]


class _Sending:
    def __init__(self, objects: ObjectStore, store: ObjectStore, moved: Moved) -> None:
        self._objects, self._store, self._moved = objects, store, moved
        self._members: list[Member] = []
        self._gathered = 0
        self._under_way: deque[Future[tuple[int, int]]] = deque()
        """Each gives the artifacts and bytes that it put."""
        self._large: list[str] = []
        self.artifacts = self.packs = self.bytes = 0
        self.missing: list[str] = []
        self.corrupt: list[str] = []

    def read(
        self, digests: Digests, pool: ThreadPoolExecutor
    ) -> Iterator[list[tuple[str, bytes | None]]]:
        """Digests and the first bytes that have them, or None, a few tasks ahead."""
        return ahead(pool, self._read, digests.parts(_TASK), _READ_AHEAD)

    def gather(self, found: Iterable[tuple[str, bytes | None]], pool: ThreadPoolExecutor) -> None:
        for digest, data in found:
            if data is None:
                continue
            self._members.append((digest, data))
            self._gathered += len(data)
            if self._gathered >= PACK_TARGET or len(self._members) == MEMBERS_LIMIT:
                self._submit(pool)

    def finish(self, pool: ThreadPoolExecutor) -> None:
        self._submit(pool)
        for digest in sorted(self._large):
            self._wait(_PARALLEL_LARGE)
            self._under_way.append(pool.submit(self._put_large, digest))
        self._wait(1)

    def _read(self, digests: Sequence[str]) -> list[tuple[str, bytes | None]]:
        return [(digest, self._whole(digest)) for digest in digests]

    def _whole(self, digest: str) -> bytes | None:
        """The verified bytes of a small artifact; the others are noted."""
        try:
            data = self._objects.get(_key(digest), 0, ARTIFACT_LIMIT)
        except KeyError:
            self.missing.append(digest)
            return None
        if len(data) == ARTIFACT_LIMIT:
            self._large.append(digest)
            return None
        if sha256(data).hexdigest() != digest:
            self.corrupt.append(digest)
            return None
        return data

    def _submit(self, pool: ThreadPoolExecutor) -> None:
        members, self._members, self._gathered = self._members, [], 0
        if not members:
            return
        self._wait(_PACKS_AHEAD)
        if len(members) < _WORTH_PACKING:
            self._under_way.append(pool.submit(self._put_alone, members))
        else:
            self.packs += 1
            self._under_way.append(pool.submit(self._put_pack, members))

    def _wait(self, below: int) -> None:
        while len(self._under_way) >= below:
            artifacts, size = self._under_way.popleft().result()
            self.artifacts += artifacts
            self.bytes += size

    def _put_pack(self, members: list[Member]) -> tuple[int, int]:
        count, size = len(members), sum(len(data) for _, data in members)
        digest, archive, index = encode_pack(members)
        members.clear()  # or they stay in memory until a slow store has the pack
        self._store.put(pack_index_key(digest), index)
        self._store.put(pack_key(digest), archive)  # last: a pack counts once it is there
        self._moved(size)
        return count, size

    def _put_alone(self, members: Sequence[Member]) -> tuple[int, int]:
        for digest, data in members:
            self._store.put(_key(digest), data)
            self._moved(len(data))
        return len(members), sum(len(data) for _, data in members)

    def _put_large(self, digest: str) -> tuple[int, int]:
        key = _key(digest)
        found, size = digest_in(self._objects, key)
        if found != digest:
            self.corrupt.append(digest)
            return 0, 0
        if isinstance(self._objects, LocalPaths) and isinstance(self._store, MovesFiles):
            self._store.upload(key, self._objects.path(key), self._moved)
        else:
            self._store.put(key, self._objects.get(key))
            self._moved(size)
        return 1, size


def digest_in(store: ObjectStore, key: str) -> tuple[str, int]:
    """Hexadecimal SHA-256 and size of an object, read by chunks. Raises KeyError if absent."""
    digest, size = sha256(), 0
    while chunk := store.get(key, size, size + _CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _key(digest: str) -> str:
    return object_key(f"sha256:{digest}")
