"""Legal holds, and when what they and others keep was recorded.

Facts
  hold.placed   {hold, kind, name, reason}
  hold.released {hold}
`kind` is `version`, `run` or `digest`; `reason` is the name of an attachment, or empty.

Tables
- `holds`, by hold: those that stand.
- `retained_packages`, by `model/version/fact`: model, version, run, package. Two sites that were
  apart may have given one number twice: both are there.
- `retained_documents`, by `digest/fact`: kind (`attestation`, `contract report`, `monitoring
  report`, `bill`), about (a version, a provider and period, or the digest of the data that a
  contract was held against), wall. Files of labels stand in `catalog/traffic.py`.
- `collected`, by site: body, wall and name of its latest storage.collected.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from freehold.domain.errors import NotFound
from freehold.domain.fact import Draft, Fact, site_of
from freehold.domain.projection import Change, Projection, State

HOLDS, PACKAGES, DOCUMENTS = "holds", "retained_packages", "retained_documents"
COLLECTED = "collected"
Kind = Literal["version", "run", "digest"]


@dataclass(frozen=True)
class LegalHold:
    """That something must stay, whatever the retention says."""

    hold: str
    """Its name: `hold-` and eight hexadecimal digits."""
    kind: Kind
    name: str
    """`model@number`, a run, or a digest."""
    reason: str
    """Name of an attachment with the words, or empty."""
    wall: int
    actor: str
    fact: str


def holds_of(state: State) -> list[LegalHold]:
    """Those that stand, oldest first."""
    found = [LegalHold(**row) for _, row in state.scan(HOLDS)]
    return sorted(found, key=lambda hold: (hold.wall, hold.hold))


def hold_of(state: State, hold: str) -> LegalHold:
    """Raises NotFound `hold.not-found`."""
    row = state.get(HOLDS, hold)
    if row is None:
        raise NotFound(
            f"no hold {hold} stands",
            why="there was none of this name, or it was released",
            hint="`freehold hold list` lists those that stand",
            code="hold.not-found",
        )
    return LegalHold(**row)


def last_collected(state: State, site: str) -> int:
    """Wall time of the site's latest storage.collected, or 0."""
    row = state.get(COLLECTED, site)
    return 0 if row is None else int(row["wall"])


def place(state: State, kind: Kind, name: str, reason: str, about: tuple[str, int]) -> Draft:
    """To be called inside `Ledger.decide`. `about`: writer and wall time, which make its name."""
    told = f"{about[0]} {about[1]} {kind} {name}"
    count = 0
    while state.get(HOLDS, hold := _name(f"{told} {count}")) is not None:
        count += 1
    body = {"hold": hold, "kind": kind, "name": name, "reason": reason}
    return Draft("hold.placed", body)


def release(state: State, hold: str) -> Draft:
    """Raises NotFound `hold.not-found`."""
    placed = hold_of(state, hold)
    return Draft("hold.released", {"hold": hold}, cause=(placed.fact,))


def _name(told: str) -> str:
    return f"hold-{sha256(told.encode()).hexdigest()[:8]}"


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    body = fact.body
    if fact.type == "hold.placed":
        stamp = {"actor": fact.actor, "fact": fact.name, "wall": fact.time.wall}
        return [Change(HOLDS, body["hold"], {**body, **stamp})]
    if fact.type == "hold.released":
        return [Change(HOLDS, body["hold"], None)]
    if fact.type == "storage.collected":
        stamp = {"fact": fact.name, "wall": fact.time.wall}
        return [Change(COLLECTED, site_of(fact.writer), {**body, **stamp})]
    return _recorded(fact, body)


def _recorded(fact: Fact, body: Mapping[str, Any]) -> Iterator[Change]:
    if fact.type == "model.registered":
        row = {
            "model": body["model"],
            "package": body["package"]["digest"],
            "run": body["run"],
            "version": body["version"],
        }
        yield Change(PACKAGES, f"{body['model']}/{body['version']:08d}/{fact.name}", row)
    for digest, row in _documents(fact.type, body):
        yield Change(DOCUMENTS, f"{digest}/{fact.name}", {**row, "wall": fact.time.wall})


def _documents(kind: str, body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if kind in ("model.registered", "model.judged"):
        about = f"{body['model']}@{body['version']}"
        for digest in body["attestations"].values():
            yield digest, {"kind": "attestation", "about": about}
    elif kind == "contract.checked":
        yield body["report"], {"kind": "contract report", "about": body["artifact"]}
    elif kind == "monitoring.assessed":
        about = f"{body['model']}@{body['version']}"
        yield body["report"], {"kind": "monitoring report", "about": about}
    elif kind == "bill.imported":
        about = f"{body['provider']} {body['period']}"
        yield body["artifact"], {"kind": "bill", "about": about}


projection = Projection(
    name="retention",
    version=3,
    types=frozenset(
        {
            "bill.imported",
            "hold.placed",
            "hold.released",
            "storage.collected",
            "model.registered",
            "model.judged",
            "contract.checked",
            "monitoring.assessed",
        }
    ),
    fold=_fold,
)
