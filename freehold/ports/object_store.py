"""Bytes by key.

Laws
- A key is a relative POSIX path: parts of `[A-Za-z0-9._=-]`, none of them `.` or `..`.
- `put` is atomic and durable: a reader sees the old object, or none, or the whole new one.
- `put` of an existing key replaces it; whoever needs more relies on keys that name their content.
- `delete` of an absent key is success.
- No key is a folder of another one: whoever has `a` does not put `a/b`.
- What may be tried again after a fault of the network is tried again, with growing and random
  pauses, and nothing else is; an answer of the store (denied, absent) is final.
- Thread-safe.
- Errors: ValueError for what is not a key; KeyError for an absent key; StorageFailed when the
  store refuses (disk full, denied); Unreachable when it does not answer.

What not every store has is a class of its own below, asked for with `isinstance`. Correctness
rests on none of them.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_KEY = re.compile(r"(?!\.{1,2}(/|\Z))[A-Za-z0-9._=-]+(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._=-]+)*")

Moved = Callable[[int], None]
"""Told the bytes that were moved since it was told last."""


STORE_SECRETS = (
    "access_key_id",
    "secret_access_key",
    "session_token",
    "account_name",
    "account_key",
    "sas_token",
    "token",
    "service_account",
)
"""Names that secrets of stores have."""


def is_key(text: str) -> bool:
    """A store lists only what is a key: its own scratch, and what strangers left, is none."""
    return bool(_KEY.fullmatch(text))


def check_key(key: str) -> None:
    """Raises ValueError unless it is a key. Every store calls this first."""
    if not is_key(key):
        raise ValueError(f"not a key of an object store: {key!r}")


@dataclass(frozen=True)
class StoreSettings:
    """Where a store is and what opens it."""

    location: str
    """`file:///srv/models`, `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix`,
    `memory://name`."""
    endpoint: str = ""
    """URL of the service where it is not the vendor's own; `http` is accepted."""
    region: str = ""
    timeout: float = 30.0
    """Seconds without an answer after which a request is given up, all its attempts together; a
    part of a large object may take four times as long."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name: `access_key_id`, `secret_access_key`, `session_token`; `account_name`,
    `account_key`, `sas_token`; `token`, `service_account` (the JSON of its key). What is absent is
    looked for where the vendor's own tools look. Never shown, never logged."""


class ObjectStore(ABC):
    @abstractmethod
    def put(self, key: str, data: bytes) -> None: ...

    @abstractmethod
    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """The bytes from `start` to before `stop`; fewer where the object ends earlier."""

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Bytes, or None if absent."""

    @abstractmethod
    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """Sorted, those greater than `after`; listed by pages, as they are asked for."""

    @abstractmethod
    def delete(self, key: str) -> None: ...


class Opens(ABC):
    """A store that a location and secrets lead to."""

    @classmethod
    @abstractmethod
    def open(cls, settings: StoreSettings) -> ObjectStore:
        """Talks to nobody yet. Raises WrongUsage for a location that is none of its own."""


class LocalPaths(ABC):
    """A store whose objects are files that a reader may map into memory."""

    @abstractmethod
    def path(self, key: str) -> Path:
        """Raises KeyError if absent. The file must not be written to."""


class MovesFiles(ABC):
    """A store that takes and gives large objects by parts, several at a time, in flat memory."""

    @abstractmethod
    def upload(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        """As atomic as `put`."""

    @abstractmethod
    def download(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        """The file appears whole or not at all, and is one version of the object. Raises KeyError
        if absent, StorageFailed (`storage.changing`) if it is replaced again and again."""


class PutsTogether(ABC):
    """A store that puts many small objects for less than it puts them one by one."""

    @abstractmethod
    def put_together(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """As a `put` of each, in any order; all are durable once it returns. If it raises, some
        of them may have been put."""


class CreatesOnce(ABC):
    """A store that puts only what is not there yet."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Whether it was put; False, and nothing changed, if the key is there already. Of many
        at once exactly one puts. Raises Unreachable (`storage.in-doubt`) when the answer was lost
        and cannot be found out."""


class ComparesAndSets(ABC):
    """A store that replaces only the version that the writer has read."""

    @abstractmethod
    def version(self, key: str) -> str | None:
        """Changes whenever the bytes do; None if absent. Read it before the bytes."""

    @abstractmethod
    def replace(self, key: str, data: bytes, version: str) -> bool:
        """Whether it was put; False, and nothing changed, if the key has another version or is
        absent. Raises Unreachable as `create` does."""


class SignsUrls(ABC):
    """A store that lends an object to whoever has a URL."""

    @abstractmethod
    def signed_url(self, key: str, seconds: int) -> str:
        """A URL that anyone may GET the object from, for so long. It is a secret."""
