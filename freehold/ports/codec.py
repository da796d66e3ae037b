"""How values of some types become bytes that other tools read.

Laws
- `decode(encode(value), type(value), …)` equals `value`.
- Deterministic: equal values made in the same way give equal bytes under one version of the
  codec's library.
- `decode` raises IntegrityError `artifact.unreadable` on bytes that are cut or of another format.
- `encode` raises NotSupported `codec.unsupported`, saying which part, for what it cannot hold.
- What `decode` gives is the caller's own: changing it changes nothing else.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any


class Codec(ABC):
    format: str
    """`parquet`, `json`, …: what a reader without Freehold needs to know."""

    @abstractmethod
    def encode(self, value: Any) -> bytes: ...

    @abstractmethod
    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        """A value of type `kind`. `workspace` is a folder for what must lie on a disk; it lives
        as long as the run."""


class Shares(ABC):
    """A codec whose values can be handed on within a process without decoding them again."""

    @abstractmethod
    def share(self, value: Any) -> Any:
        """A value equal to `value` that may be changed without `value` changing, in less time
        than decoding takes."""
