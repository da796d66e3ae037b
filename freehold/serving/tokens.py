"""What stands in the request log for a personal value.

The token of a value in a column of the log, such as `input_postcode` or `prediction_id`, is the
first 16 bytes, in hex, of HMAC-SHA256 over the value's text in UTF-8. The key of the HMAC is
HMAC-SHA256, by the site's key for tokens, over the column's name: so that nobody without the key
can compare columns. The text of a number is the shortest that gives the same float64, as Python's
`repr` writes it, and zero has no sign. Null stays null.

Law. Under one key and in one column, tokens are equal if and only if the values are, but for a
chance of n² / 2**129 among n values. Without the key they say nothing else; whoever has it can find
a value by trying all that it may be.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

BYTES = 16
"""Of the 32 of SHA-256."""
KEY_BYTES = 32
PREDICTION, REQUEST = "prediction_id", "request_id"
_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


@dataclass(frozen=True)
class TokenKey:
    """The site's key. Raises ValueError unless it has 32 bytes."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a key for tokens has {KEY_BYTES} bytes, not {len(self.secret)}")

    @classmethod
    def parse(cls, text: bytes) -> "TokenKey":
        """As it stands in its file: 64 hexadecimal digits. Raises ValueError."""
        return cls(bytes.fromhex(text.decode("ascii").strip()))

    def as_text(self) -> bytes:
        return self.secret.hex().encode() + b"\n"

    @cached_property
    def name(self) -> str:
        """Tells keys apart, and says nothing of them."""
        return sha256(b"freehold token key\0" + self.secret).hexdigest()[:16]

    def tokens(self, column: str, values: Iterable[Any], *, numbers: bool) -> list[str | None]:
        """Of the values of a column of the log: texts, or numbers, of which NaN counts as null."""
        digest = _hmac(_hmac(self.secret)(column.encode()))
        known: dict[Any, str | None] = {None: None}
        found = []
        for value in values:
            try:
                token = known[value]
            except KeyError:
                token = known[value] = _token(digest, value, numbers)
            found.append(token)
        return found


@dataclass(frozen=True)
class Tokens:
    """What is personal in the rows that a table answers."""

    key: TokenKey
    columns: frozenset[str]
    """By the models' names."""
    ids: bool


def _token(digest: Callable[[bytes], bytes], value: Any, is_number: bool) -> str | None:
    if not is_number:
        text = str.encode(value, "utf-8", "surrogatepass")
    else:
        number = float(value)
        if number != number:
            return None
        # What is added takes the sign off a zero.
        text = repr(number + 0.0).encode()
    return digest(text)[:BYTES].hex()


def _hmac(key: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA256 (RFC 2104) of many short messages: the two states after the key are kept, as
    section 4 has it, which takes less than half of what the library's own does. A key of up to 64
    bytes."""
    padded = key.ljust(_BLOCK, b"\0")
    inner, outer = sha256(padded.translate(_INNER)), sha256(padded.translate(_OUTER))

    def digest(message: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    return digest
