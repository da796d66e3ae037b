"""Values that go from step to step without leaving the process.

Nothing that one step may change is seen by another: a value is kept only if its codec can give
copies of it; of others the bytes are kept while they are small, and each consumer decodes them.
"""

import threading
from typing import Any

from freehold.ports.codec import Codec, Shares

SMALL = 1_000_000
"""Bytes up to which encoded values are kept."""


class Values:
    """By artifact digest. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, Codec], Any] = {}
        self._bytes: dict[str, bytes] = {}

    def keep(self, digest: str, codec: Codec, value: Any, data: bytes) -> None:
        if isinstance(codec, Shares):
            shared = codec.share(value)
            with self._lock:
                self._values[digest, codec] = shared
        elif len(data) <= SMALL:
            with self._lock:
                self._bytes[digest] = data

    def value(self, digest: str, codec: Codec) -> Any | None:
        if not isinstance(codec, Shares):
            return None
        with self._lock:
            kept = self._values.get((digest, codec))
        return None if kept is None else codec.share(kept)

    def data(self, digest: str) -> bytes | None:
        with self._lock:
            return self._bytes.get(digest)

    def forget(self, digest: str) -> None:
        with self._lock:
            self._bytes.pop(digest, None)
            for key in [key for key in self._values if key[0] == digest]:
                del self._values[key]
