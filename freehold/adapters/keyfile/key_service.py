"""Keys in a file that only its owner can read: a JSON Web Key Set of 256-bit `oct` keys.

A key's id is `file:` and its thumbprint, so that no id can stand for another key. Keys wrap with
AES-256-GCM under random nonces; the context, as canonical JSON, is associated data. NIST SP
800-38D section 8.3 allows 2^32 such wraps by one key.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from freehold.adapters.keyfile import key_set
from freehold.domain.canonical import canonical
from freehold.domain.errors import Conflict, NotFound, WrongUsage
from freehold.ports.key_service import KeyService, KeySettings, wrong_key

_NONCE = 12


class FileKeyService(KeyService):
    """The key that wraps is the newest at the time of opening. One that another process adds later
    is found when something is wrapped by it."""

    def __init__(self, path: Path) -> None:
        """Raises NotFound, IntegrityError (others can use it, not a key file), StorageFailed."""
        self._path = path
        self._keys = key_set.read(path)
        self._newest = next(reversed(self._keys))

    @classmethod
    def open(cls, settings: KeySettings) -> "FileKeyService":
        if not settings.key:
            raise WrongUsage("no key file is named", hint="write `encryption: file:PATH`")
        return cls(Path(settings.key).expanduser())

    @classmethod
    def create(cls, path: Path) -> "FileKeyService":
        """A new file with one key, mode 0600. Raises Conflict if there is a file already."""
        key_set.create(path)
        return cls(path)

    @classmethod
    def add(cls, path: Path) -> "FileKeyService":
        """One more key, which wraps from now on."""
        key_set.change(path, key_set.with_new)
        return cls(path)

    @classmethod
    def remove(cls, path: Path, key_id: str) -> "FileKeyService":
        """What is still wrapped by that key can never be read again. Raises NotFound; Conflict for
        the newest."""

        def without(keys: key_set.Keys) -> key_set.Keys:
            if key_id not in keys:
                raise NotFound(f"there is no key {key_id} in the file", code="keys.missing")
            if key_id == next(reversed(keys)):
                raise Conflict(
                    f"{key_id} is the key that wraps",
                    code="key.in-use",
                    hint="add a new key and rotate first",
                )
            return {name: key for name, key in keys.items() if name != key_id}

        key_set.change(path, without)
        return cls(path)

    @property
    def key_id(self) -> str:
        return self._newest

    @property
    def key_ids(self) -> tuple[str, ...]:
        """All that unwrap, the newest last."""
        return tuple(self._keys)

    def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        nonce = os.urandom(_NONCE)
        key = AESGCM(self._keys[self._newest])
        return nonce + key.encrypt(nonce, data_key, canonical(dict(context)))

    def unwrap(self, wrapped: bytes, key_id: str, context: Mapping[str, str]) -> bytes:
        if key_id not in self._keys:
            self._keys = {**key_set.read(self._path), **self._keys}
        if key_id not in self._keys:
            raise wrong_key(key_id)
        try:
            return AESGCM(self._keys[key_id]).decrypt(
                wrapped[:_NONCE], wrapped[_NONCE:], canonical(dict(context))
            )
        except (InvalidTag, ValueError):
            raise wrong_key(key_id) from None
