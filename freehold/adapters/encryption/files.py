"""Files sealed and opened chunk by chunk, in flat memory."""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from freehold.adapters.encryption.envelope import CHUNK, HEADER, SEALED, ChunkCipher, Header
from freehold.domain.errors import StorageFailed
from freehold.ports.object_store import Moved

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def seal_file(source: Path, target: Path, header: Header, cipher: ChunkCipher) -> None:
    with source.open("rb") as plain, target.open("wb") as sealed:
        sealed.write(header.packed())
        for number, last, chunk in _blocks(plain, CHUNK):
            sealed.write(cipher.sealed(number, last, chunk))


def open_file(
    source: Path, target: BinaryIO, key: str, cipher_of: Callable[[Header, str], ChunkCipher]
) -> None:
    """Raises IntegrityError; then `target` holds a beginning that is true."""
    with source.open("rb") as sealed:
        cipher = cipher_of(Header.parsed(sealed.read(HEADER), key), key)
        for number, last, chunk in _blocks(sealed, SEALED):
            target.write(cipher.opened(number, last, chunk))


def _blocks(file: BinaryIO, size: int) -> Iterator[tuple[int, bool, bytes]]:
    """Number, whether it is the last, bytes. An empty file is one empty block."""
    number, block = 0, file.read(size)
    while True:
        following = file.read(size)
        yield number, not following, block
        if not following:
            return
        number, block = number + 1, following


class PlainCount:
    """Tells plain bytes while stored ones are moved, which are more: never more than there are,
    and all of them at the end."""

    def __init__(self, moved: Moved, size: int) -> None:
        self._moved, self._left = moved, size
        self._lock = threading.Lock()

    def __call__(self, stored: int) -> None:
        with self._lock:
            count = min(stored, self._left)
            self._left -= count
            if count:
                self._moved(count)

    def finish(self) -> None:
        self(self._left)


@contextmanager
def file_boundary(key: str) -> Iterator[None]:
    """Turns the system's errors about files on this machine into the port's."""
    try:
        yield
    except OSError as exc:
        full = exc.errno in _FULL
        raise StorageFailed(
            f"the disk is full: object {key} was not moved"
            if full
            else f"the file of object {key} could not be read or written",
            why=str(exc),
            code="storage.full" if full else "storage.failed",
            hint="encryption needs room for one more copy of the file, in TMPDIR or beside the "
            "target; make sure that there is, and that you may use it, and repeat the command",
        ) from exc
