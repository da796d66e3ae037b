"""Wrap the data keys of a store's objects anew, by the newest key, and leave their bodies.

Only the header of an object changes, but no port changes a part of one, so each object is read and
put. Where the store compares and sets, an object that somebody replaces meanwhile is never put
back; where it does not, and for an object above IN_MEMORY, nobody may replace one while this runs.
Objects that are named by their content or never replaced, as all of Freehold's in a meeting store,
are safe everywhere.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from freehold.adapters.encryption.envelope import CONTEXT, HEADER, Header
from freehold.adapters.encryption.files import file_boundary
from freehold.domain.errors import IntegrityError
from freehold.ports.key_service import KeyService, Rotated, Told
from freehold.ports.object_store import ComparesAndSets, MovesFiles, ObjectStore

IN_MEMORY = 64 * 2**20
"""Bytes of an object above which it goes by a file, where the store moves files."""
_WORKERS = 8
_PAGE = 128
_REMEMBERED = 1024


class Outcome(Enum):
    ROTATED = auto()
    CURRENT = auto()
    NOT_ENCRYPTED = auto()
    GONE = auto()
    """Deleted while the rotation ran."""


def rotate(
    store: ObjectStore, keys: KeyService, prefix: str = "", told: Told = lambda _: None
) -> Rotated:
    """`store` is the inner store. See RotatesKeys."""
    rotation = _Rotation(store, keys)
    counts: Counter[Outcome] = Counter()
    wrong: list[IntegrityError] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for page in _pages(store.keys(prefix)):
            for result in pool.map(rotation.one, page):
                if isinstance(result, Outcome):
                    counts[result] += 1
                else:
                    wrong.append(result)
            told(len(page))
    if wrong:
        raise wrong[0]
    return Rotated(counts[Outcome.ROTATED], counts[Outcome.CURRENT], counts[Outcome.NOT_ENCRYPTED])


class _Rotation:
    def __init__(self, store: ObjectStore, keys: KeyService) -> None:
        self._store, self._keys, self._newest = store, keys, keys.key_id
        self._lock = threading.Lock()
        self._rewrapped: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()

    def one(self, key: str) -> Outcome | IntegrityError:
        try:
            head = self._store.get(key, 0, HEADER)
            if Header.parsed(head, key).key_id == self._newest:
                return Outcome.CURRENT
            return self._rewrite(key)
        except KeyError:
            return Outcome.GONE
        except IntegrityError as exc:
            return Outcome.NOT_ENCRYPTED if exc.code == "envelope.not-encrypted" else exc

    def _rewrite(self, key: str) -> Outcome:
        store = self._store
        if isinstance(store, MovesFiles) and (store.size(key) or 0) > IN_MEMORY:
            return self._by_file(store, key)
        if not isinstance(store, ComparesAndSets):
            return self._put(key, store.get(key))
        while True:
            version = store.version(key)
            if version is None:
                return Outcome.GONE
            stored = store.get(key)
            head = self._head(stored[:HEADER], key)
            if head is None:
                return Outcome.CURRENT
            if store.replace(key, head + stored[HEADER:], version):
                return Outcome.ROTATED

    def _put(self, key: str, stored: bytes) -> Outcome:
        head = self._head(stored[:HEADER], key)
        if head is None:
            return Outcome.CURRENT
        self._store.put(key, head + stored[HEADER:])
        return Outcome.ROTATED

    def _by_file(self, store: MovesFiles, key: str) -> Outcome:
        with file_boundary(key), TemporaryDirectory(prefix="freehold-") as folder:
            file = Path(folder) / "sealed"
            store.download(key, file)
            with file.open("r+b") as stored:
                head = self._head(stored.read(HEADER), key)
                if head is None:
                    return Outcome.CURRENT
                stored.seek(0)
                stored.write(head)
            store.upload(key, file)
        return Outcome.ROTATED

    def _head(self, stored: bytes, key: str) -> bytes | None:
        """The header to put in place of this one; None if it is of the newest key."""
        header = Header.parsed(stored, key)
        if header.key_id == self._newest:
            return None
        return header.wrapped_by(self._newest, self._new(header)).packed()

    def _new(self, header: Header) -> bytes:
        """Objects that share a data key cost one call of the key service."""
        name = (header.key_id, header.wrapped)
        with self._lock:
            if name not in self._rewrapped:
                self._rewrapped[name] = self._keys.rewrap(header.wrapped, header.key_id, CONTEXT)
                if len(self._rewrapped) > _REMEMBERED:
                    self._rewrapped.popitem(last=False)
            return self._rewrapped[name]


def _pages(keys: Iterator[str]) -> Iterator[list[str]]:
    while page := list(islice(keys, _PAGE)):
        yield page
