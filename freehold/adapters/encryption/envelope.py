"""The format of an encrypted object, version 1. All numbers are big-endian.

    offset  bytes  what
    0           8  `freehold`
    8           1  version, 1
    9           1  length of the key id, K
    10          2  length of the wrapped data key, W
    12          4  size of a chunk, 1,048,576
    16         32  salt, random for each object
    48          K  key id, printable ASCII: which key of the key service wrapped the data key
    48+K        W  the data key as the key service wrapped it, with the context CONTEXT
    …              zeros until 512
    512            the chunks: each 1 MiB of the object, the last one what is left, even if nothing;
                   each followed by its tag of 16 bytes

Every object has a key of its own: HKDF-SHA-256 (RFC 5869) of the data key and the salt, info INFO.
Chunks are encrypted with AES-256-GCM under that key as STREAM does it (Hoang, Reyhanitabar,
Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015,
section 7): the nonce is three zero bytes, the chunk's number in eight, and in one byte whether it
is the last. The associated data is the header's first nine bytes, the size of a chunk, and the
object's key in the store. So a chunk that is changed, moved, repeated, left out or cut off is
found, and an object that was laid under another key too. An older object under its own key is not:
that is what signed logs and digests are for.

The key id and the wrapped key are no part of the associated data, so that a rotation replaces them
and leaves the chunks; whoever changes them meets a key that opens no chunk. The header's length is
fixed, so that the plain size follows from the stored one.

Bounds. No nonce comes twice under one key, since a key is used for one object, once; NIST SP
800-38D allows 2^39 - 256 bits per nonce (a chunk has 2^23) and 2^64 chunks fit the counter.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from freehold.domain.errors import AdapterFailed, IntegrityError
from freehold.ports.key_service import KEY_ID

MAGIC, VERSION = b"freehold", 1
HEADER = 512
"""Bytes before the first chunk."""
CHUNK = 2**20
TAG = 16
SEALED = CHUNK + TAG
DATA_KEY = 32
CONTEXT = {"format": "freehold envelope 1"}
INFO = b"freehold envelope 1 object"

_FIXED = struct.Struct(">8sBBHI32s")
_NONCE = struct.Struct(">3xQ?")


@dataclass(frozen=True)
class Header:
    key_id: str
    wrapped: bytes = field(repr=False)
    salt: bytes = field(repr=False, default_factory=lambda: os.urandom(32))

    def packed(self) -> bytes:
        """Raises AdapterFailed for a key service whose wrapped keys have no room."""
        name = self.key_id.encode("ascii")
        sizes = (len(name), len(self.wrapped), CHUNK)
        if not KEY_ID.fullmatch(self.key_id) or _FIXED.size + sum(sizes[:2]) > HEADER:
            raise AdapterFailed(
                f"a wrapped key of {len(self.wrapped)} bytes has no room in an object's header",
                code="envelope.no-room",
                hint="use a symmetric key of 256 bits in the key service",
            )
        fixed = _FIXED.pack(MAGIC, VERSION, *sizes, self.salt)
        return (fixed + name + self.wrapped).ljust(HEADER, b"\0")

    def wrapped_by(self, key_id: str, wrapped: bytes) -> "Header":
        return replace(self, key_id=key_id, wrapped=wrapped)

    @classmethod
    def parsed(cls, stored: bytes, key: str) -> "Header":
        """Of an object's first bytes. Raises IntegrityError."""
        if not stored.startswith(MAGIC) and not MAGIC.startswith(stored):
            raise IntegrityError(
                f"object {key} is not encrypted",
                code="envelope.not-encrypted",
                hint="it was stored before encryption was turned on, or by a stranger: look at it "
                "without encryption, and put it again if it is yours",
            )
        if len(stored) < HEADER:
            raise altered(key)
        _, version, named, wrapped, chunk, salt = _FIXED.unpack_from(stored)
        if version != VERSION:
            raise IntegrityError(
                f"object {key} is encrypted in the format {version}; this reads {VERSION}",
                code="envelope.unknown-version",
                hint="use a newer Freehold",
            )
        start, stop = _FIXED.size + named, _FIXED.size + named + wrapped
        name = stored[_FIXED.size : start].decode("ascii", "replace")
        if chunk != CHUNK or stop > HEADER or not KEY_ID.fullmatch(name):
            raise altered(key)
        if stored[stop:HEADER].strip(b"\0"):
            raise altered(key)
        return cls(name, stored[start:stop], salt)


class ChunkCipher:
    """Seals and opens the chunks of one object."""

    def __init__(self, header: Header, data_key: bytes, key: str) -> None:
        derived = HKDF(SHA256(), 32, header.salt, INFO).derive(data_key)
        self._cipher = AESGCM(derived)
        self._bound = struct.pack(">8sBI", MAGIC, VERSION, CHUNK) + key.encode()
        self._key = key

    def sealed(self, number: int, last: bool, plain: bytes | memoryview) -> bytes:
        return self._cipher.encrypt(_NONCE.pack(number, last), plain, self._bound)

    def opened(self, number: int, last: bool, sealed: bytes | memoryview) -> bytes:
        """Raises IntegrityError."""
        try:
            return self._cipher.decrypt(_NONCE.pack(number, last), sealed, self._bound)
        except InvalidTag:
            raise altered(self._key) from None

    def all_sealed(self, plain: bytes) -> Iterator[bytes]:
        """The chunks of an object that lies in memory."""
        view, last = memoryview(plain), max(len(plain) - 1, 0) // CHUNK
        for number in range(last + 1):
            chunk = view[number * CHUNK : (number + 1) * CHUNK]
            yield self.sealed(number, number == last, chunk)

    def all_opened(self, sealed: memoryview, first: int, ends: bool) -> Iterator[bytes]:
        """Chunks from the number `first` on; `ends` if the object ends with them."""
        last = max(len(sealed) - 1, 0) // SEALED
        for number in range(last + 1):
            chunk = sealed[number * SEALED : (number + 1) * SEALED]
            yield self.opened(first + number, ends and number == last, chunk)


def joined(parts: Iterable[bytes]) -> bytes:
    """As they come: `bytes.join` would first hold them all, and need the memory twice."""
    whole = BytesIO()
    for part in parts:
        whole.write(part)
    return whole.getvalue()


def chunks(stored: int, key: str) -> int:
    """How many an object of so many stored bytes has. Raises IntegrityError."""
    count, rest = divmod(stored - HEADER, SEALED)
    if stored < HEADER + TAG or (0 < rest <= TAG and count):
        raise altered(key)
    return count + (rest > 0)


def plain_size(stored: int, key: str) -> int:
    """Bytes of an object of so many stored bytes. Raises IntegrityError."""
    return stored - HEADER - TAG * chunks(stored, key)


def altered(key: str) -> IntegrityError:
    return IntegrityError(
        f"object {key} was altered or cut",
        code="envelope.altered",
        hint="take it from another site or from a backup",
    )
