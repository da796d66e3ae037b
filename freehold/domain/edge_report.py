"""Under which names a bundle leaves what it has to tell in an object store.

`bundles/SITE/MODEL/KIND/DIGEST`: the same bytes have one name, so that what is sent twice is there
once, and whoever takes it in sees whether it is whole.
"""

from dataclasses import dataclass
from typing import Literal, cast

FOLDER = "bundles"
Kind = Literal["log", "event", "replica", "state"]
KINDS: tuple[Kind, ...] = ("log", "event", "replica", "state")
LARGEST = 2**30
"""Bytes of one report; a larger one is not taken in."""


@dataclass(frozen=True)
class ReportKey:
    site: str
    model: str
    kind: Kind
    sha256: str
    """Hexadecimal, of its bytes."""

    @property
    def digest(self) -> str:
        return f"sha256:{self.sha256}"

    def __str__(self) -> str:
        return "/".join((FOLDER, self.site, self.model, self.kind, self.sha256))


def read_key(key: str) -> ReportKey | None:
    """None for a key that is no report's."""
    parts = key.split("/")
    if len(parts) != 5 or parts[0] != FOLDER or parts[3] not in KINDS:
        return None
    _, site, model, kind, digest = parts
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        return None
    return ReportKey(site, model, cast(Kind, kind), digest)
