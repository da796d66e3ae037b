"""The envelope of a fact. Fixed from the first day; `tests/golden/fact.json` shows a change.

No free text and no personal data stand in a fact. What has either is an attachment, referred to
by a salted digest, so that it can be erased while every proof stays valid.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from freehold.domain.canonical import SAFE_INTEGER, canonical, canonical_name
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import leaf_hash

ENVELOPE = 1
_DIGITS = 8


@dataclass(frozen=True)
class Draft:
    """What a caller wants recorded. The ledger adds writer, sequence, time and seen heads."""

    type: str
    """`noun.verb`, as in `model.registered`."""
    body: Mapping[str, Any]
    """JSON. No free text, no personal data, no secret."""
    version: int = 1
    """Of the body's shape; upcasters read the older ones."""
    cause: tuple[str, ...] = ()
    """Names of the facts that this one follows from; `+n` is the n-th draft, from 0, of the same
    append."""
    actor: str = "system"
    """A pseudonym of a person, service or site."""


class Fact(NamedTuple):
    """One immutable, typed, versioned statement of what happened.

    A tuple, since hundreds of thousands are made while histories merge.
    """

    type: str
    version: int
    writer: str
    sequence: int
    """From 0, without gaps, within a writer's log."""
    time: HybridTime
    seen: Mapping[str, str]
    """Heads of other writers' logs, those that are new since the writer's fact before: writer →
    `size:root`. Whoever has seen a head has seen all that its log held up to there."""
    cause: tuple[str, ...]
    actor: str
    body: Mapping[str, Any] = MappingProxyType({})

    @property
    def name(self) -> str:
        """`writer/sequence`: what `cause` and people refer to."""
        return f"{self.writer}/{self.sequence}"

    def as_json(self) -> dict[str, Any]:
        return {
            "actor": self.actor,
            "body": dict(self.body),
            "cause": list(self.cause),
            "envelope": ENVELOPE,
            "seen": dict(self.seen),
            "sequence": self.sequence,
            "time": {"logical": self.time.logical, "wall": self.time.wall},
            "type": self.type,
            "version": self.version,
            "writer": self.writer,
        }

    def encoded(self) -> bytes:
        """The canonical bytes that are hashed, stored and exported.

        Written out, since the members' order is known: a third of the time of `as_json`.
        Raises ValueError or TypeError if a member is not what the envelope says.
        """
        if type(self.version) is not int or not isinstance(self.body, Mapping):
            raise ValueError(f"{self.type}: a version is an integer and a body is an object")
        if abs(self.version) > SAFE_INTEGER:
            raise ValueError(f"{self.type}: a version is at most {SAFE_INTEGER}")
        return (
            b'{"actor":%b,"body":%b,"cause":%b,"envelope":%d,"seen":%b,"sequence":%d,'
            b'"time":{"logical":%d,"wall":%d},"type":%b,"version":%d,"writer":%b}'
        ) % (
            canonical_name(self.actor),
            canonical(self.body if type(self.body) is dict else dict(self.body)),
            canonical(self.cause) if self.cause else b"[]",
            ENVELOPE,
            canonical(dict(self.seen)) if self.seen else b"{}",
            self.sequence,
            self.time.logical,
            self.time.wall,
            canonical_name(self.type),
            self.version,
            canonical_name(self.writer),
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Fact":
        """Raises ValueError if it is not a fact of an envelope that is known."""
        if value.get("envelope") != ENVELOPE:
            raise ValueError(f"envelope {value.get('envelope')!r} is not known")
        try:
            members = (
                value["type"],
                value["version"],
                value["writer"],
                value["sequence"],
                HybridTime.from_json(value["time"]),
                value["seen"],
                tuple(value["cause"]),
                value["actor"],
                value["body"],
            )
        except (KeyError, TypeError) as exc:
            raise ValueError(f"not a fact: {exc}") from exc
        # Half of what a call by names takes.
        return tuple.__new__(cls, members)


def writer_name(site: str, key: str) -> str:
    """Of a site's first log with a key of this fingerprint: `onprem-1a2b3c4d`."""
    return f"{site}-{key.removeprefix('sha256:')[:_DIGITS]}"


@lru_cache(4096)
def site_of(writer: str) -> str:
    """`onprem-1a2b3c4d.2` → `onprem`: the site whose writer it is."""
    name = writer.partition(".")[0]
    site, dash, _ = name.rpartition("-")
    return site if dash else name


class Entry(NamedTuple):
    """A fact as it stands in a log: its bytes and their leaf hash."""

    fact: Fact
    encoded: bytes
    leaf: bytes

    @classmethod
    def of(cls, fact: Fact) -> "Entry":
        encoded = fact.encoded()
        return cls(fact, encoded, leaf_hash(encoded))
