"""Which artifacts a meeting store has, and where: by themselves or in packs."""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import polars as pl

from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import NotBelieved
from freehold.replication.layout import ARTIFACTS, PACKS, pack_key, pack_of
from freehold.replication.pack import SCHEMA, TAIL, decode_directory, directory_range

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_ALONE = re.compile(re.escape(ARTIFACTS) + r"([0-9a-f]{2})/(\1[0-9a-f]{62})")
_PARALLEL = 16
_ROWS = 20_000
"""Places that are looked up at a time, and what a pack has more."""
_PLACES = {**SCHEMA, "pack": pl.String}


@dataclass(frozen=True)
class ArtifactFault:
    """A copy that is not what it should be. Nothing of it was kept."""

    store: str
    """The name by which the caller knows it."""
    kind: str
    """`artifact.corrupt`, `pack.corrupt`, `pack.missing`; else the code of the store's error."""
    what: str
    digest: str = ""
    """`sha256:…` of the artifact, or of the pack that cannot be used at all."""


@dataclass(frozen=True)
class Holdings:
    """Of one store at one time, as its names and directories claim: not verified."""

    packed: pl.DataFrame
    """`digest` (hexadecimal), `offset`, `size`, `pack` (hexadecimal); some in several packs."""
    alone: frozenset[str]
    """Hexadecimal digests."""
    packs: frozenset[str]
    faults: tuple[ArtifactFault, ...] = ()

    @property
    def digests(self) -> frozenset[str]:
        """`sha256:…` of all."""
        return frozenset(f"sha256:{one}" for one in self.alone.union(self.packed["digest"]))

    def lacking(self, digests: Sequence[str]) -> list[str]:
        """Hexadecimal digests of those given that are not there, in their order."""
        wanted = pl.DataFrame({"digest": digests}, schema={"digest": pl.String})
        absent = wanted.join(self.packed, on="digest", how="anti", maintain_order="left")
        return [digest for digest in absent["digest"] if digest not in self.alone]

    def places(self, digests: Iterable[str]) -> pl.DataFrame:
        """The rows of `packed` for hexadecimal digests."""
        wanted = pl.DataFrame({"digest": list(digests)}, schema={"digest": pl.String})
        return self.packed.join(wanted, on="digest", how="semi")

    def places_by_copy(self) -> Iterator[pl.DataFrame]:
        """The rows of `packed`, of whole packs at a time: first one place of every digest, then a
        second of those that have one, and so on."""
        left = self.packed
        while not left.is_empty():
            is_first = left["digest"].is_first_distinct()
            now, left = left.filter(is_first), left.filter(~is_first)
            for start, length in _whole_packs(now["pack"]):
                yield now.slice(start, length)


def _whole_packs(packs: pl.Series) -> Iterator[tuple[int, int]]:
    """Start and length of stretches of rows that end where a pack does."""
    start = length = 0
    for run in packs.rle().struct.field("len"):
        length += run
        if length >= _ROWS:
            yield start, length
            start, length = start + length, 0
    if length:
        yield start, length


def what_store_has(
    store: ObjectStore, known: Holdings | None = None, *, name: str = ""
) -> Holdings:
    """Two listings; of packs that are not in `known`, an earlier answer, their directories.

    `name`: of the store, for faults. A pack whose directory is corrupt counts as absent.
    """
    packs = frozenset(filter(None, map(pack_of, store.keys(PACKS))))
    matches = (_ALONE.fullmatch(key) for key in store.keys(ARTIFACTS))
    alone = frozenset(found[2] for found in matches if found is not None)
    if known is not None and known.packs == packs:
        return Holdings(known.packed, alone, packs, known.faults)
    frames = [pl.DataFrame(schema=_PLACES)]
    faults: list[ArtifactFault] = []
    if known is not None:
        frames.append(known.packed.filter(pl.col("pack").is_in(list(packs))))
        faults += [one for one in known.faults if one.digest.partition(":")[2] in packs]
    new = sorted(packs - known.packs if known is not None else packs)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for read in pool.map(partial(_places, store, name), new):
            if isinstance(read, ArtifactFault):
                faults.append(read)
            else:
                frames.append(read)
    return Holdings(pl.concat(frames), alone, packs, tuple(faults))


def hexadecimal(digest: str) -> str:
    """Of `sha256:…`. Raises ValueError if it is no such digest."""
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise ValueError(f"not a digest of an artifact: {digest!r}")
    return found[1]


def _places(store: ObjectStore, name: str, pack: str) -> pl.DataFrame | ArtifactFault:
    try:
        frame = _read_directory(store, pack_key(pack))
    except NotBelieved as exc:
        return ArtifactFault(name, exc.kind, exc.what, f"sha256:{pack}")
    except KeyError:
        return ArtifactFault(name, "pack.missing", "it is gone", f"sha256:{pack}")
    return frame.with_columns(pack=pl.lit(pack))


def _read_directory(store: ObjectStore, key: str) -> pl.DataFrame:
    size = store.size(key)
    if size is None:
        raise KeyError(key)
    first = max(0, size - TAIL)
    tail = store.get(key, first, size)
    start, stop = directory_range(tail, first + len(tail))
    within = start - first
    directory = tail[within : stop - first] if within >= 0 else store.get(key, start, stop)
    return decode_directory(directory, start)
