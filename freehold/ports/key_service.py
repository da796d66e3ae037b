"""Keys that wrap keys: what an object is encrypted with is itself encrypted here, and never stored
plain.

Laws
- What `wrap` gave is unwrapped by the same key with the same context, and by nothing else. The
  context is not hidden and need not be: it is authenticated.
- `key_id` names the key that `wrap` uses and does not change while the service is open: 1 to 200
  printable ASCII characters without a space. It tells nothing about the key's bytes.
- A service unwraps with every key that it still has; only the newest wraps. So a key is rotated by
  adding one, wrapping anew what the old ones wrapped, and then removing them.
- Wrapping twice gives different bytes. Wrapped bytes tell nothing about the data key.
- Thread-safe.
- Errors: IntegrityError `key.wrong` when the bytes were not wrapped by that key with that context,
  or the key is not there; it names the key's id and nothing else. Refused `keys.denied` when the
  service says no; Unreachable `keys.unreachable` when it does not answer.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from freehold.domain.errors import IntegrityError

KEY_ID = re.compile(r"[!-~]{1,200}")

Told = Callable[[int], None]
"""Told how many objects were looked at since it was told last."""


@dataclass(frozen=True)
class KeySettings:
    """Which key, and what opens the service that has it."""

    key: str
    """Of a file: its path. Of a cloud's service: the id, ARN or alias. Of a vault: `NAME` or
    `MOUNT/NAME`."""
    endpoint: str = ""
    """URL of the service where it is not the vendor's own."""
    region: str = ""
    timeout: float = 30.0
    """Seconds without an answer after which a request is given up."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name: `access_key_id`, `secret_access_key`, `session_token`; `token`, `namespace`. What is
    absent is looked for where the vendor's own tools look. Never shown, never logged."""


class KeyService(ABC):
    @classmethod
    @abstractmethod
    def open(cls, settings: KeySettings) -> "KeyService":
        """Reads what is on this machine, talks to nobody yet. Raises WrongUsage for a key that is
        none of its own."""

    @property
    @abstractmethod
    def key_id(self) -> str: ...

    @abstractmethod
    def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        """At most 300 bytes for a data key of 32."""

    @abstractmethod
    def unwrap(self, wrapped: bytes, key_id: str, context: Mapping[str, str]) -> bytes:
        """The data key."""

    def rewrap(self, wrapped: bytes, key_id: str, context: Mapping[str, str]) -> bytes:
        """The same data key wrapped by the newest key. A service that can do this inside itself
        does, so that who rotates need not be allowed to read."""
        return self.wrap(self.unwrap(wrapped, key_id, context), context)


@dataclass(frozen=True)
class End:
    """Of what a key service needs."""

    what: str
    """What ends, as the subject of a sentence: `the token of …`."""
    at: float
    """Seconds since 1970 UTC, by the service's clock."""
    why: str
    """Who or what set it."""
    hint: str
    """What to do before it."""
    is_loss: bool = False
    """Whether nobody can ever unwrap again what was wrapped before."""


class TellsEnds(ABC):
    """A key service that knows what of it ends by itself: the key, or the right to use it."""

    @abstractmethod
    def ends(self) -> tuple[End, ...]:
        """Asks the service each time; empty if nothing ends. Raises Refused `keys.denied` if it
        does not tell, and Unreachable."""


@dataclass(frozen=True)
class Rotated:
    """What a rotation did."""

    count: int
    """Objects whose key is now wrapped by the newest key."""
    current: int
    """Objects that were so before."""
    not_encrypted: int
    """Objects that were stored without encryption, and still are."""


class RotatesKeys(ABC):
    """A store whose objects' keys can be wrapped anew."""

    @abstractmethod
    def rotate(self, prefix: str = "", told: Told = lambda _: None) -> Rotated:
        """Bodies are not encrypted anew. May be stopped and repeated. Goes on past an object whose
        key cannot be unwrapped, and raises the first such error at the end."""


def wrong_key(key_id: str) -> IntegrityError:
    """Says which key is needed. Neither path nor bytes: this error may be shown to anyone."""
    return IntegrityError(f"not readable with the key {key_id}", code="key.wrong")
