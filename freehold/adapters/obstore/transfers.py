"""Files as the library reads them."""

from typing import BinaryIO

from freehold.ports.object_store import Moved


class CountingReader:
    """A file that tells how far it was read: the parts in flight are counted as moved."""

    def __init__(self, file: BinaryIO, moved: Moved) -> None:
        self._file = file
        self._moved = moved

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._moved(len(data))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
