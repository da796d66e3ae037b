"""Data keys in this process: few calls of the key service for many objects."""

import os
import threading
from collections import OrderedDict

from freehold.adapters.encryption.envelope import CONTEXT, DATA_KEY, Header
from freehold.ports.key_service import KeyService

_OBJECTS = 1000
"""Objects that share a data key. Each still has its own key, derived with a random salt of 256
bits, so cryptography sets no limit here; what limits it is how much one leaked data key opens."""
_REMEMBERED = 256
"""Unwrapped keys that are kept: those of a quarter of a million objects."""


class DataKeys:
    """Thread-safe. Never shown: what a process knows, its memory shows."""

    def __init__(self, keys: KeyService) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._current: tuple[str, bytes, bytes] | None = None
        self._left = 0

    def new(self) -> tuple[Header, bytes]:
        """A header for a new object, and the data key that it holds."""
        with self._lock:
            if self._current is None or self._left == 0:
                data_key = os.urandom(DATA_KEY)
                key_id, wrapped = self._keys.key_id, self._keys.wrap(data_key, CONTEXT)
                self._current, self._left = (key_id, wrapped, data_key), _OBJECTS
                self._remember(key_id, wrapped, data_key)
            self._left -= 1
            key_id, wrapped, data_key = self._current
        return Header(key_id, wrapped), data_key

    def of(self, header: Header) -> bytes:
        """Raises IntegrityError `key.wrong`, Refused, Unreachable as the key service does."""
        with self._lock:
            known = self._known.get((header.key_id, header.wrapped))
            if known is not None:
                self._known.move_to_end((header.key_id, header.wrapped))
                return known
        data_key = self._keys.unwrap(header.wrapped, header.key_id, CONTEXT)
        with self._lock:
            self._remember(header.key_id, header.wrapped, data_key)
        return data_key

    def _remember(self, key_id: str, wrapped: bytes, data_key: bytes) -> None:
        self._known[key_id, wrapped] = data_key
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
