"""Which artifacts a meeting store has, and where: by themselves or in packs."""

import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from freehold.ports.object_store import ObjectStore
from freehold.replication.digests import Digests, Positions, hexadecimals
from freehold.replication.fault import NotBelieved
from freehold.replication.layout import ARTIFACTS, PACKS, pack_key, pack_of
from freehold.replication.pack import TAIL, PackPlaces, decode_directory, directory_range

_ALONE = re.compile(re.escape(ARTIFACTS) + r"([0-9a-f]{2})/(\1[0-9a-f]{62})")
_PARALLEL = 16
_ROWS = 20_000
"""Places that are looked up at a time, and what a pack has more."""


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
class Part:
    """Of a pack, some places, and where their digests are among those that are wanted."""

    pack: str
    """Hexadecimal digest."""
    size: int
    """Bytes of all artifacts in the pack."""
    places: PackPlaces
    wanted: Positions


@dataclass(frozen=True)
class Holdings:
    """Of one store at one time, as its names and directories claim: not verified."""

    packed: Mapping[str, PackPlaces]
    """What lies in each pack, by its hexadecimal digest; some of it in several."""
    alone: Digests
    packs: frozenset[str]
    """Hexadecimal digests, also of those whose directory is corrupt."""
    faults: tuple[ArtifactFault, ...] = ()

    @property
    def digests(self) -> frozenset[str]:
        """`sha256:…` of all."""
        packed = (hexadecimals(places["digest"]) for places in self.packed.values())
        return frozenset(self.alone) | {f"sha256:{one}" for one in chain.from_iterable(packed)}

    def lacking(self, digests: Digests) -> Digests:
        """Those of the given ones that are not there."""
        return digests.only((self.packed_sizes(digests) < 0) & (self.alone.find(digests.rows) < 0))

    def packed_sizes(self, digests: Digests) -> npt.NDArray[np.int64]:
        """Bytes of each that lies in a pack; -1 for the others."""
        sizes = np.full(len(digests), -1)
        for places in self.packed.values():
            found = digests.find(places["digest"])
            sizes[found[found >= 0]] = places["size"][found >= 0]
        return sizes

    def parts_by_copy(self, digests: Digests) -> Iterator[list[Part]]:
        """Where those that lie in packs do, some packs at a time: first one place of every digest,
        then a second of those that have one, and so on."""
        left: Collection[tuple[str, PackPlaces]] = self.packed.items()
        while left:
            seen = np.zeros(len(digests), bool)
            now: list[Part] = []
            rows = 0
            later: list[tuple[str, PackPlaces]] = []
            for pack, places in left:
                found = digests.find(places["digest"])
                places, found = places[found >= 0], found[found >= 0]
                is_first = np.zeros(len(found), bool)
                is_first[np.unique(found, return_index=True)[1]] = True
                is_first &= ~seen[found]
                seen[found] = True
                if is_first.any():
                    size = int(self.packed[pack]["size"].sum())
                    now.append(Part(pack, size, places[is_first], found[is_first]))
                    rows += len(now[-1].places)
                if not is_first.all():
                    later.append((pack, places[~is_first]))
                if rows >= _ROWS:
                    yield now
                    now, rows = [], 0
            if now:
                yield now
            left = later


def what_store_has(
    store: ObjectStore, known: Holdings | None = None, *, name: str = ""
) -> Holdings:
    """Two listings; of packs that are not in `known`, an earlier answer, their directories.

    `name`: of the store, for faults. A pack whose directory is corrupt counts as absent.
    """
    packs = frozenset(filter(None, map(pack_of, store.keys(PACKS))))
    matches = (_ALONE.fullmatch(key) for key in store.keys(ARTIFACTS))
    alone = Digests.of(f"sha256:{found[2]}" for found in matches if found is not None)
    if known is not None and known.packs == packs:
        return Holdings(known.packed, alone, packs, known.faults)
    packed: dict[str, PackPlaces] = {}
    faults: list[ArtifactFault] = []
    if known is not None:
        packed |= {pack: places for pack, places in known.packed.items() if pack in packs}
        faults += [one for one in known.faults if one.digest.partition(":")[2] in packs]
    new = sorted(packs - known.packs if known is not None else packs)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for pack, read in zip(new, pool.map(partial(_places, store, name), new), strict=True):
            if isinstance(read, ArtifactFault):
                faults.append(read)
            else:
                packed[pack] = read
    return Holdings(packed, alone, packs, tuple(faults))


def _places(store: ObjectStore, name: str, pack: str) -> PackPlaces | ArtifactFault:
    try:
        return _read_directory(store, pack_key(pack))
    except NotBelieved as exc:
        return ArtifactFault(name, exc.kind, exc.what, f"sha256:{pack}")
    except KeyError:
        return ArtifactFault(name, "pack.missing", "it is gone", f"sha256:{pack}")


def _read_directory(store: ObjectStore, key: str) -> PackPlaces:
    size = store.size(key)
    if size is None:
        raise KeyError(key)
    first = max(0, size - TAIL)
    tail = store.get(key, first, size)
    start, stop = directory_range(tail, first + len(tail))
    within = start - first
    directory = tail[within : stop - first] if within >= 0 else store.get(key, start, stop)
    return decode_directory(directory, start)
