"""Taking artifacts out of meeting stores. What does not have its digest is not kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from freehold.domain.artifact import object_key
from freehold.domain.errors import StorageFailed, Unreachable
from freehold.ports.object_store import Moved, MovesFiles, ObjectStore, PutsTogether
from freehold.replication.ahead import ahead
from freehold.replication.digests import Digests, Mask, hexadecimals
from freehold.replication.holdings import ArtifactFault, Holdings, Part, what_store_has
from freehold.replication.layout import pack_key

Answer = TypeVar("Answer")
Read = Callable[[str, int], None]
"""Told a store's name and the bytes that were read from it since it was told last."""
_PARALLEL = 16
_RANGES_AHEAD = 3
"""Ranges of packs that are read at a time; one is at most a whole pack."""
_TASK = 64
"""Artifacts that one thread verifies and puts in one go, at most."""
_TASK_BYTES = 1024 * 1024
"""Bytes of artifacts from which on such a task is full."""
_ALONE = 1024
"""Artifacts by themselves that are asked for before the first of them has come."""
_GAP = 64 * 1024
"""Bytes that are rather read than skipped by another request."""
_LARGE = 8 * 1024 * 1024
"""Bytes from which on an artifact moves as a file, where both stores can."""


@dataclass(frozen=True, eq=False)
class Fetched:
    """Digests `sha256:…`, sorted."""

    got: Digests
    missing: tuple[str, ...]
    """That no store has, or gave."""
    corrupt: tuple[str, ...]
    """Of which there are only corrupt copies."""
    bytes: int
    faults: tuple[ArtifactFault, ...]
    """Also of what was then found elsewhere."""


def fetch_artifacts(
    digests: Iterable[str],
    stores: Mapping[str, ObjectStore],
    objects: ObjectStore,
    *,
    holdings: Mapping[str, Holdings] | None = None,
    scratch: Path | None = None,
    moved: Moved = lambda _: None,
    read: Read = lambda _store, _size: None,
) -> Fetched:
    """Bring those of `digests` (`sha256:…`) into the own store, from whichever store has them.

    `stores`: by the names under which faults are reported, the preferred first. `holdings`: what is
    known of them, by the same names. `scratch`: an existing folder for large artifacts on the way;
    without it they pass through memory. `moved` is told the bytes of artifacts that have come,
    `read` those that were read from each store, wanted or not; both from several threads. Raises
    ValueError for what is no digest, and what the own store raises; what is wrong with the others
    is among the faults.
    """
    wanted = Digests.of(digests)
    fetching = _Fetching(wanted, objects, scratch, moved, read)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for name, store in stores.items():
            if fetching.here.all():
                break
            known = (holdings or {}).get(name) or fetching.ask(
                name, partial(what_store_has, store, name=name)
            )
            if known is not None:
                fetching.faults.update(dict.fromkeys(known.faults))
                fetching.from_packs(name, store, known, pool)
                fetching.alone(name, store, known, pool)
    left = wanted.only(~fetching.here)
    return Fetched(
        wanted.only(fetching.here),
        tuple(one for one in left if one not in fetching.spoiled),
        tuple(one for one in left if one in fetching.spoiled),
        fetching.bytes,
        tuple(fetching.faults),
    )


Member = tuple[int, str, int, int]
"""Position among what is wanted, hexadecimal digest, offset in the pack, size."""


@dataclass(frozen=True)
class _Range:
    """Part of a pack that one request reads."""

    pack: str
    start: int
    stop: int
    members: list[Member]


class _Fetching:
    def __init__(
        self, wanted: Digests, objects: ObjectStore, scratch: Path | None, moved: Moved, read: Read
    ) -> None:
        self._wanted = wanted
        self.here = np.zeros(len(wanted), bool)
        """Which of them are."""
        self._objects, self._scratch, self._moved = objects, scratch, moved
        self._told = read
        self.spoiled: set[str] = set()
        """`sha256:…`."""
        self.faults: dict[ArtifactFault, None] = {}
        self.bytes = 0

    def from_packs(
        self, name: str, store: ObjectStore, known: Holdings, pool: ThreadPoolExecutor
    ) -> None:
        """What lies in several packs is taken from the first that has it whole. Places are looked
        up for some packs at a time: of hundreds of thousands, no other list is in memory."""
        for parts in known.parts_by_copy(self._wanted):
            ranges = chain.from_iterable(map(self._absent_ranges, parts))
            read = partial(self._read, name, store)
            for wanted, data in ahead(pool, read, ranges, _RANGES_AHEAD):
                self._keep(name, wanted, data, pool)

    def _absent_ranges(self, part: Part) -> Iterator[_Range]:
        return _ranges(part, ~self.here[part.wanted])

    def alone(
        self, name: str, store: ObjectStore, known: Holdings, pool: ThreadPoolExecutor
    ) -> None:
        there = (known.alone.find(self._wanted.rows) >= 0) & ~self.here
        digests = chain.from_iterable(self._wanted.only(there).parts(_ALONE))
        sizes = ahead(pool, partial(self._one, name, store), digests, _ALONE)
        for position, size in zip(np.flatnonzero(there), sizes, strict=True):
            if size is not None:
                self.here[position] = True
                self.bytes += size

    def ask(self, name: str, question: Callable[[], Answer], digest: str = "") -> Answer | None:
        """A store that fails is a fault of its own, and the others go on."""
        try:
            return question()
        except KeyError:
            self._fault(name, "pack.missing", "it is gone", digest)
        except (Unreachable, StorageFailed) as exc:
            self._fault(name, exc.code, exc.what)
        return None

    def _fault(self, name: str, kind: str, what: str, digest: str = "") -> None:
        named = digest and f"sha256:{digest}"
        self.faults[ArtifactFault(name, kind, what, named)] = None

    def _read(self, name: str, store: ObjectStore, wanted: _Range) -> tuple[_Range, bytes | None]:
        data = self.ask(
            name, lambda: store.get(pack_key(wanted.pack), wanted.start, wanted.stop), wanted.pack
        )
        self._told(name, len(data or b""))
        return wanted, data

    def _keep(
        self, name: str, wanted: _Range, data: bytes | None, pool: ThreadPoolExecutor
    ) -> None:
        if data is None:
            return
        tasks = [
            pool.submit(self._check, name, wanted, members, data)
            for members in _tasks(wanted.members)
        ]
        for task in tasks:
            kept, size = task.result()
            self.here[kept] = True
            self.bytes += size

    def _check(
        self, name: str, wanted: _Range, members: Sequence[Member], data: bytes
    ) -> tuple[list[int], int]:
        kept: list[int] = []
        objects: list[tuple[str, bytes]] = []
        for position, digest, offset, size in members:
            start = offset - wanted.start
            content = data[start : start + size]
            if sha256(content).hexdigest() == digest:
                kept.append(position)
                objects.append((_key(digest), content))
            else:
                self._spoil(name, digest, f"not what the pack {wanted.pack} should hold")
        self._put(objects)
        moved = sum(len(content) for _, content in objects)
        self._moved(moved)
        return kept, moved

    def _put(self, objects: Sequence[tuple[str, bytes]]) -> None:
        if isinstance(self._objects, PutsTogether):
            self._objects.put_together(objects)
            return
        for key, data in objects:
            self._objects.put(key, data)

    def _one(self, name: str, store: ObjectStore, digest: str) -> int | None:
        """Bytes of an artifact that is now here."""
        key = _key(digest)
        size = self.ask(name, lambda: store.size(key))
        if (
            size is not None
            and size >= _LARGE
            and self._scratch is not None
            and isinstance(store, MovesFiles)
            and isinstance(self._objects, MovesFiles)
        ):
            return self._large(name, store, self._objects, self._scratch / digest, digest)
        data = self.ask(name, lambda: store.get(key), digest)
        if data is None:
            return None
        self._told(name, len(data))
        if sha256(data).hexdigest() != digest:
            self._spoil(name, digest, "its bytes have another digest")
            return None
        self._objects.put(key, data)
        self._moved(len(data))
        return len(data)

    def _large(
        self, name: str, store: MovesFiles, objects: MovesFiles, path: Path, digest: str
    ) -> int | None:
        key = _key(digest)

        def arrived(size: int) -> None:
            self._told(name, size)
            self._moved(size)

        def download() -> bool:
            store.download(key, path, arrived)
            return True

        try:
            if not self.ask(name, download, digest):
                return None
            found, size = _digest_of_file(path)
            if found != digest:
                self._spoil(name, digest, "its bytes have another digest")
                return None
            objects.upload(key, path)
            return size
        finally:
            path.unlink(missing_ok=True)

    def _spoil(self, name: str, digest: str, what: str) -> None:
        self.spoiled.add(f"sha256:{digest}")
        self._fault(name, "artifact.corrupt", what, digest)


def _ranges(part: Part, absent: Mask) -> Iterator[_Range]:
    """Requests that read the absent ones: what lies close together by one; a pack of which most is
    wanted by one, too."""
    places, positions = part.places[absent], part.wanted[absent]
    order = np.argsort(places["offset"], kind="stable")
    places, positions = places[order], positions[order]
    gap = part.size if 2 * int(places["size"].sum()) >= part.size else 0
    gap = max(gap, _GAP)
    digests, offsets, sizes = hexadecimals(places["digest"]), places["offset"], places["size"]
    members: list[Member] = []
    start = stop = 0
    for member in zip(positions.tolist(), digests, offsets.tolist(), sizes.tolist(), strict=True):
        _, _, offset, size = member
        if members and offset - stop > gap:
            yield _Range(part.pack, start, stop, members)
            members = []
        if not members:
            start = stop = offset
        members.append(member)
        stop = max(stop, offset + size)
    if members:
        yield _Range(part.pack, start, stop, members)


def _tasks(members: Iterable[Member]) -> Iterator[list[Member]]:
    """What lies side by side: digests in order, which share a folder."""
    task: list[Member] = []
    gathered = 0
    for member in members:
        task.append(member)
        gathered += member[-1]
        if len(task) == _TASK or gathered >= _TASK_BYTES:
            yield task
            task, gathered = [], 0
    if task:
        yield task


def _digest_of_file(path: Path) -> tuple[str, int]:
    digest, size = sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_LARGE):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _key(digest: str) -> str:
    return object_key(f"sha256:{digest}")
