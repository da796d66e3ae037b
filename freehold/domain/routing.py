"""How an endpoint's traffic is shared among versions, and the signed document that says so."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.canonical import canonical
from freehold.domain.errors import IntegrityError
from freehold.domain.signature import PublicKey

KIND = "freehold.routing/1"
"""Stands in the signed bytes, so that no other signed document passes for a routing table."""


@dataclass(frozen=True)
class Variant:
    """One version's share of an endpoint's traffic."""

    version: int
    digest: str
    """Of the package's payload: `sha256:…`."""
    weight: float
    """Percent of the keys."""
    alias: str
    """`champion`, `challenger`, or another name without meaning to the endpoint."""

    def as_json(self) -> dict[str, Any]:
        return {
            "alias": self.alias,
            "digest": self.digest,
            "version": self.version,
            "weight": self.weight,
        }


@dataclass(frozen=True)
class Shadow:
    """A variant without traffic that scores rows which others answer; what it says is logged beside
    the answer and never given."""

    version: int
    share: float
    """Percent of the keys whose rows it scores, above 0: a bound, of which an endpoint that has no
    room does less."""

    def as_json(self) -> dict[str, Any]:
        return {"share": self.share, "version": self.version}


@dataclass(frozen=True)
class LogRule:
    """What an endpoint's log keeps of rows that are answered by a table. Raises ValueError if it
    contradicts itself."""

    sample: float = 1.0
    """Share of the keys, above 0."""
    whole: bool = False
    """Whether rows of the other keys are kept too, for now."""
    personal: tuple[str, ...] = ()
    """Columns of which it keeps tokens."""
    ids: bool = False
    """Whether it keeps tokens of prediction and request ids."""
    key: str = ""
    """Name of the key that tokens are made with; empty where none are."""

    def __post_init__(self) -> None:
        if not 0 < self.sample <= 1:
            raise ValueError("the share of logged keys is not above 0 and at most 1")
        if self.whole and self.sample == 1:
            raise ValueError("a log of all keys keeps no others")
        if len(set(self.personal)) < len(self.personal):
            raise ValueError("a personal column stands twice")
        if bool(self.key) != bool(self.personal or self.ids):
            raise ValueError("tokens and the name of their key go together")

    def as_json(self) -> dict[str, Any]:
        return {
            "ids": self.ids,
            "key": self.key,
            "personal": list(self.personal),
            "sample": self.sample,
            "whole": self.whole,
        }


WHOLE = LogRule()
"""Every row, as sent."""


@dataclass(frozen=True)
class RoutingTable:
    """Frozen; an endpoint replaces it whole. Raises ValueError if it contradicts itself."""

    version: int
    """Grows with every change; an endpoint refuses a table older than the one it has."""
    model: str
    salt: str
    """Mixed into the hash of keys. Constant during a release, so that keys stay where they are."""
    variants: tuple[Variant, ...]
    reference: int | None = None
    """Version whose model also scores the rows of the other variants, for comparison."""
    shadow: Shadow | None = None
    log: LogRule = WHOLE

    def __post_init__(self) -> None:
        versions = [variant.version for variant in self.variants]
        if not versions:
            raise ValueError("a routing table needs a variant")
        if len(set(versions)) < len(versions):
            raise ValueError("a version stands twice in the routing table")
        if any(not 0 <= v.weight <= 100 for v in self.variants):
            raise ValueError("a weight is not between 0 and 100")
        if not math.isclose(sum(v.weight for v in self.variants), 100.0, abs_tol=1e-9):
            raise ValueError("the weights do not sum to 100")
        if self.reference is not None and self.reference not in versions:
            raise ValueError(f"the reference, version {self.reference}, is not a variant")
        if self.shadow is not None:
            idle = [one.version for one in self.variants if one.weight == 0]
            if self.shadow.version not in idle:
                raise ValueError("the shadow is not a variant without traffic")
            if not 0 < self.shadow.share <= 100:
                raise ValueError("the shadow's share is not above 0 and at most 100")

    def as_json(self) -> dict[str, Any]:
        """Without a member for a shadow, or for the log's rule, where there is none, as tables were
        signed before."""
        shadow = {} if self.shadow is None else {"shadow": self.shadow.as_json()}
        log = {} if self.log == WHOLE else {"log": self.log.as_json()}
        return {
            **shadow,
            **log,
            "model": self.model,
            "reference": self.reference,
            "salt": self.salt,
            "variants": [variant.as_json() for variant in self.variants],
            "version": self.version,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RoutingTable":
        """Raises ValueError on a missing field, a wrong type, or a contradiction."""
        try:
            reference, shadow, log = value["reference"], value.get("shadow"), value.get("log")
            return cls(
                version=_typed(value["version"], int),
                model=_typed(value["model"], str),
                salt=_typed(value["salt"], str),
                variants=tuple(
                    Variant(
                        version=_typed(item["version"], int),
                        digest=_typed(item["digest"], str),
                        weight=_typed(item["weight"], (int, float)),
                        alias=_typed(item["alias"], str),
                    )
                    for item in _typed(value["variants"], list)
                ),
                reference=None if reference is None else _typed(reference, int),
                shadow=None if shadow is None else _shadow(shadow),
                log=WHOLE if log is None else _log_rule(log),
            )
        except (KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"not a routing table: {exc!r}") from exc


def _shadow(value: Mapping[str, Any]) -> Shadow:
    return Shadow(_typed(value["version"], int), _typed(value["share"], (int, float)))


def _log_rule(value: Mapping[str, Any]) -> LogRule:
    for name in ("ids", "whole"):
        if not isinstance(value[name], bool):
            raise TypeError(f"{value[name]!r} is not of the type expected")
    return LogRule(
        sample=_typed(value["sample"], (int, float)),
        personal=tuple(_typed(name, str) for name in _typed(value["personal"], list)),
        ids=value["ids"],
        whole=value["whole"],
        key=_typed(value["key"], str),
    )


def signed_bytes(table: RoutingTable) -> bytes:
    """What the site's key signs: RFC 8785 bytes of the table under its kind."""
    return canonical({"kind": KIND, "table": table.as_json()})


def routing_document(table: RoutingTable, signature: bytes) -> bytes:
    """The file `routing.json`: the table beside the DER signature over `signed_bytes`, in hex."""
    return canonical({"kind": KIND, "signature": signature.hex(), "table": table.as_json()})


def read_routing(document: bytes, key: PublicKey) -> RoutingTable:
    """The table of a document that `key` signed.

    Raises IntegrityError: `routing.malformed`, `routing.unsigned`.
    """
    try:
        value = json.loads(document)
        signature = bytes.fromhex(value["signature"])
        if value["kind"] != KIND:
            raise ValueError(f"its kind is not {KIND}")
        table = RoutingTable.from_json(value["table"])
        signed = signed_bytes(table)
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise IntegrityError(
            "the routing table cannot be read",
            why=str(exc),
            code="routing.malformed",
            hint="release a version again; the table is then written anew",
        ) from exc
    if not key.verifies(signed, signature):
        raise IntegrityError(
            f"the routing table {table.version} is not signed by this site's key",
            why="its signature does not verify",
            code="routing.unsigned",
            hint="release a version again; the table is then written and signed anew",
        )
    return table


WITHDRAWAL = "freehold.withdrawal/1"
"""Kind of the document that stands where a table stood, when nothing of it may be served."""


def withdrawal_bytes(model: str, version: int) -> bytes:
    """What the site's key signs. `version`: the number that the next table would have."""
    return canonical({"kind": WITHDRAWAL, "model": model, "version": version})


def withdrawal_document(model: str, version: int, signature: bytes) -> bytes:
    """`routing.json` of a model of which no version is left."""
    body = {"kind": WITHDRAWAL, "model": model, "version": version}
    return canonical({**body, "signature": signature.hex()})


def is_withdrawal(document: bytes, key: PublicKey) -> bool:
    """Whether `key` signed that nothing is to be served; what nobody signed withdraws nothing."""
    try:
        value = json.loads(document)
        signature = bytes.fromhex(value["signature"])
        stated = withdrawal_bytes(_typed(value["model"], str), _typed(value["version"], int))
        return value["kind"] == WITHDRAWAL and key.verifies(stated, signature)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _typed(value: Any, kind: type | tuple[type, ...]) -> Any:
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of the type expected")
    return value
