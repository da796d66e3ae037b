"""Who acts, when and where, and the few names that all sites speak of, so that they quarrel."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from freehold.catalog.versions import versions_of
from freehold.domain.fact import Draft
from freehold.domain.numbering import Numbering
from freehold.domain.projection import State

SITES = ("onprem", "aws", "azure")
MODEL = "m"
DAYS = ("2026-11-24", "2026-11-25", "2026-11-26")
DAY = 86_400_000_000
"""Microseconds."""
PERSON = "person-1"
T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """Of a site, at one moment."""

    site: str
    writer: str
    now: int
    """By its clock, microseconds since 1970 UTC."""
    chance: random.Random

    def any(self, *these: T) -> T:
        return self.chance.choice(these)

    def likely(self, chance: float) -> bool:
        return self.chance.random() < chance

    @property
    def numbering(self) -> Numbering:
        """Sometimes as if it were alone: then two sites take one number."""
        return Numbering(SITES.index(self.site), len(SITES)) if self.likely(0.7) else Numbering()

    def digest(self) -> str:
        """Of one of four contents, whoever made it."""
        return f"sha256:{self.chance.randint(1, 4):064x}"

    def fresh_digest(self) -> str:
        return f"sha256:{self.chance.getrandbits(256):064x}"

    def version(self, state: State) -> int:
        known = [one.version for one in versions_of(state, MODEL)]
        return self.chance.choice(known or [1])

    def labels(self) -> dict[str, str]:
        return self.any({}, {"pii": ""}, {"residency": "EU"}, {"residency": "US"})

    def output(self) -> dict[str, Any]:
        return {"digest": self.digest(), "format": "json", "labels": self.labels(), "size": 1}


Act = Callable[[State, Desk], Sequence[Draft]]
"""What a site does at a moment: what the product would append then, or nothing."""
