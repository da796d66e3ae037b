"""Any object store, encrypted: no plain byte reaches it, no altered byte comes back from it.

The keys of the objects, their number and nearly their sizes stay visible. `envelope.py` has the
format, `rotation.py` how keys are replaced.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from freehold.adapters.encryption.data_keys import DataKeys
from freehold.adapters.encryption.envelope import (
    CHUNK,
    HEADER,
    SEALED,
    ChunkCipher,
    Header,
    altered,
    chunks,
    joined,
    plain_size,
)
from freehold.adapters.encryption.files import PlainCount, file_boundary, open_file, seal_file
from freehold.adapters.encryption.rotation import rotate
from freehold.domain.errors import IntegrityError
from freehold.ports.key_service import KeyService, Rotated, RotatesKeys, Told
from freehold.ports.object_store import (
    ComparesAndSets,
    CreatesOnce,
    Moved,
    MovesFiles,
    ObjectStore,
    PutsTogether,
    check_key,
)
from freehold.ports.remote_store import arriving

_ATTEMPTS = 8
"""Readings of a range of an object that others replace all the time."""


class EncryptedObjectStore(ObjectStore, RotatesKeys):
    """Moves files, creates once, compares and sets where the inner store does. It has no local
    paths and signs no URL: what lies there is unreadable.

    An object that is not encrypted is not read (IntegrityError `envelope.not-encrypted`), so that
    nobody can lay a plain one in an encrypted one's place.
    """

    def __new__(cls, store: ObjectStore, *_: object) -> "EncryptedObjectStore":
        """An object of the class that has what the inner store has: `isinstance` asks it."""
        kept = tuple(kind for ability, kind in _KEPT if isinstance(store, ability))
        return object.__new__(_with(cls, kept))

    def __init__(self, store: ObjectStore, keys: KeyService) -> None:
        self._store, self._keys = store, keys
        self._data_keys = DataKeys(keys)

    def put(self, key: str, data: bytes) -> None:
        self._store.put(key, self._sealed(key, data))

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        check_key(key)
        if start == 0 and stop is None:
            stored = self._store.get(key)
            cipher = self._cipher(Header.parsed(stored[:HEADER], key), key)
            return joined(cipher.all_opened(memoryview(stored)[HEADER:], 0, ends=True))
        if stop is not None and stop <= start:
            if self._store.size(key) is None:
                raise KeyError(key)
            return b""
        if start < CHUNK and stop is not None:
            return self._beginning(key, stop)[start:]
        return self._range(key, start, stop)

    def size(self, key: str) -> int | None:
        """From the stored size, which nobody has authenticated before the object is read."""
        stored = self._store.size(key)
        return None if stored is None else plain_size(stored, key)

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        return self._store.keys(prefix, after)

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def rotate(self, prefix: str = "", told: Told = lambda _: None) -> Rotated:
        return rotate(self._store, self._keys, prefix, told)

    def _sealed(self, key: str, data: bytes) -> bytes:
        check_key(key)
        header, data_key = self._data_keys.new()
        cipher = ChunkCipher(header, data_key, key)
        return joined(chain((header.packed(),), cipher.all_sealed(data)))

    def _cipher(self, header: Header, key: str) -> ChunkCipher:
        return ChunkCipher(header, self._data_keys.of(header), key)

    def _range(self, key: str, start: int, stop: int | None) -> bytes:
        """Header and chunks may be two readings, and between them the object be replaced."""
        for _ in range(_ATTEMPTS - 1):
            head = self._store.get(key, 0, HEADER)
            try:
                return self._chunks(key, head, start, stop)
            except IntegrityError:
                if self._store.get(key, 0, HEADER) == head:
                    raise
        return self._chunks(key, self._store.get(key, 0, HEADER), start, stop)

    def _beginning(self, key: str, stop: int) -> bytes:
        """One reading: header and first chunks together."""
        wanted = HEADER + -(-stop // CHUNK) * SEALED
        stored = self._store.get(key, 0, wanted + 1)
        cipher = self._cipher(Header.parsed(stored[:HEADER], key), key)
        sealed = memoryview(stored)[HEADER:wanted]
        return joined(cipher.all_opened(sealed, 0, len(stored) <= wanted))[:stop]

    def _chunks(self, key: str, head: bytes, start: int, stop: int | None) -> bytes:
        cipher = self._cipher(Header.parsed(head, key), key)
        first = start // CHUNK
        begin = HEADER + first * SEALED
        wanted = None if stop is None else (-(-stop // CHUNK) - first) * SEALED
        # One byte more than is wanted tells whether the object goes on.
        body = self._store.get(key, begin, None if wanted is None else begin + wanted + 1)
        if not body:
            self._check_end(key, cipher, first)
            return b""
        ends = wanted is None or len(body) <= wanted
        plain = joined(cipher.all_opened(memoryview(body)[:wanted], first, ends))
        return plain[start - first * CHUNK : None if stop is None else stop - first * CHUNK]

    def _check_end(self, key: str, cipher: ChunkCipher, first: int) -> None:
        """There is no chunk `first`; that the object ends before it, its last chunk proves."""
        stored = self._store.size(key)
        if stored is None:
            raise KeyError(key)
        count = chunks(stored, key)
        if count > first:
            raise altered(key)
        cipher.opened(count - 1, True, self._store.get(key, HEADER + (count - 1) * SEALED))


class _Moving(EncryptedObjectStore, MovesFiles):
    def upload(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        check_key(key)
        header, data_key = self._data_keys.new()
        with file_boundary(key), TemporaryDirectory(prefix="freehold-") as folder:
            sealed = Path(folder) / "sealed"
            seal_file(path, sealed, header, ChunkCipher(header, data_key, key))
            count = PlainCount(moved, plain_size(sealed.stat().st_size, key))
            cast(MovesFiles, self._store).upload(key, sealed, count)
        count.finish()

    def download(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        size = self.size(key)
        if size is None:
            raise KeyError(key)
        count = PlainCount(moved, size)
        with file_boundary(key), TemporaryDirectory(prefix=".freehold-", dir=path.parent) as folder:
            sealed = Path(folder) / "sealed"
            cast(MovesFiles, self._store).download(key, sealed, count)
            with arriving(path) as descriptor, os.fdopen(os.dup(descriptor), "wb") as plain:
                open_file(sealed, plain, key, self._cipher)
        count.finish()


class _Together(EncryptedObjectStore, PutsTogether):
    def put_together(self, objects: Sequence[tuple[str, bytes]]) -> None:
        sealed = [(key, self._sealed(key, data)) for key, data in objects]
        cast(PutsTogether, self._store).put_together(sealed)


class _Creating(EncryptedObjectStore, CreatesOnce):
    def create(self, key: str, data: bytes) -> bool:
        return cast(CreatesOnce, self._store).create(key, self._sealed(key, data))


class _Comparing(EncryptedObjectStore, ComparesAndSets):
    def version(self, key: str) -> str | None:
        return cast(ComparesAndSets, self._store).version(key)

    def replace(self, key: str, data: bytes, version: str) -> bool:
        return cast(ComparesAndSets, self._store).replace(key, self._sealed(key, data), version)


_KEPT = (
    (MovesFiles, _Moving),
    (PutsTogether, _Together),
    (CreatesOnce, _Creating),
    (ComparesAndSets, _Comparing),
)
"""An ability of the inner store, and how it is kept."""


@cache
def _with(
    cls: type[EncryptedObjectStore], kept: tuple[type[EncryptedObjectStore], ...]
) -> type[EncryptedObjectStore]:
    return type(cls.__name__, (*kept, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__})
