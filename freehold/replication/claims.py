"""What sites that did not know of each other said about the same thing.

Of an alias, a number, a verdict, a proposal or its outcome, each fact claims something. Claims
whose writers had not seen each other and that differ are a conflict: the order of facts, or what
they say, has decided which holds, and people are told. A later claim whose writer had seen all of
them ends it.

Facts
  conflict.found   {conflict, kind, about, sides: [name of fact]}
  conflict.settled {conflict}     a person said that what holds shall hold

Tables: `claims`, by what they are about; `conflicts`, by conflict, as Quarrel.as_json() gives it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from freehold.domain.errors import NotFound
from freehold.domain.fact import Draft, Fact
from freehold.domain.ordering import knew
from freehold.domain.projection import Change, Projection, State

CLAIMS, CONFLICTS = "claims", "conflicts"
Kind = Literal["alias", "number", "outcome", "proposal", "release", "traffic", "verdict"]


@dataclass(frozen=True)
class Side:
    fact: str
    value: str
    wall: int
    """By its writer's clock, microseconds since 1970 UTC."""

    def as_json(self) -> dict[str, Any]:
        return {"fact": self.fact, "value": self.value, "wall": self.wall}


@dataclass(frozen=True)
class Quarrel:
    """A conflict between sites."""

    name: str
    """Eight hexadecimal digits."""
    kind: Kind
    about: str
    """`flight-delay/champion`, `flight-delay@4`, …"""
    sides: tuple[Side, ...]
    """In the common order of facts: of an alias the last one holds, unless it was stopped."""
    found: str = ""
    """Name of the fact that recorded it."""
    settled: str = ""
    """Name of the fact that ended it."""

    @property
    def open(self) -> bool:
        return not self.settled

    def as_json(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "conflict": self.name,
            "found": self.found,
            "kind": self.kind,
            "settled": self.settled,
            "sides": [side.as_json() for side in self.sides],
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Quarrel":
        return cls(
            name=row["conflict"],
            kind=row["kind"],
            about=row["about"],
            sides=tuple(Side(**side) for side in row["sides"]),
            found=row["found"],
            settled=row["settled"],
        )


def conflicts_of(state: State) -> Iterator[Quarrel]:
    for _, row in state.scan(CONFLICTS):
        yield Quarrel.from_json(row)


def conflict_of(state: State, name: str) -> Quarrel:
    """Raises NotFound."""
    row = state.get(CONFLICTS, name)
    if row is None:
        raise NotFound(
            f"there is no conflict {name}",
            why="none of this name was found",
            hint="`freehold conflicts --all` lists them",
            code="conflict.not-found",
        )
    return Quarrel.from_json(row)


def unrecorded(state: State) -> tuple[Draft, ...]:
    """Facts about conflicts that no site has recorded. Call it inside `Ledger.decide`."""
    return tuple(
        Draft(
            "conflict.found",
            {
                "about": one.about,
                "conflict": one.name,
                "kind": one.kind,
                "sides": [side.fact for side in one.sides],
            },
            cause=tuple(side.fact for side in one.sides),
        )
        for one in conflicts_of(state)
        if one.open and not one.found
    )


def settle(conflict: Quarrel, actor: str) -> Draft:
    cause = tuple(name for name in (conflict.found,) if name)
    return Draft("conflict.settled", {"conflict": conflict.name}, cause=cause, actor=actor)


def _claim(fact: Fact) -> tuple[Kind, str, str] | None:
    """Kind, what it is about, and what is said of it. A challenger is a release's own business."""
    body = fact.body
    match fact.type:
        case "alias.moved" if body["alias"] != "challenger":
            version = "none" if body["version"] is None else f"@{body['version']}"
            return "alias", f"{body['model']}/{body['alias']}", version
        case "model.registered":
            return "number", f"{body['model']}@{body['version']}", body["package"]["digest"]
        case "release.started":
            return "release", body["release"], f"@{body['version']} by {fact.name}"
        case "release.completed":
            return "traffic", f"{body['model']}@{body['version']}", "promoted"
        case "release.rolled-back":
            return "traffic", f"{body['model']}@{body['version']}", "rolled back"
        case "model.revoked":
            return "traffic", f"{body['model']}@{body['version']}", "revoked"
        case "proposal.approved" | "proposal.rejected":
            return "proposal", body["proposal"], fact.type.removeprefix("proposal.")
        case "proposal.done":
            return "outcome", body["proposal"], f"made @{body['made_version']}"
        case "proposal.failed":
            return "outcome", body["proposal"], "failed"
        case "model.judged":
            verdict = "allowed" if body["allowed"] else "denied"
            return "verdict", f"{body['model']}@{body['version']}", verdict
    return None


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    if fact.type in ("conflict.found", "conflict.settled"):
        return _told(fact, state)
    claim = _claim(fact)
    return [] if claim is None else _claimed(fact, state, *claim)


def _claimed(fact: Fact, state: State, kind: Kind, about: str, value: str) -> Iterator[Change]:
    key = f"{kind}/{about}"
    row = state.get(CLAIMS, key) or {"conflict": "", "sides": []}
    unseen = [Side(**side) for side in row["sides"] if not knew(state, fact, side["fact"])]
    own = Side(fact.name, value, fact.time.wall)
    sides = (*unseen, own)
    name = row["conflict"]
    if len({side.value for side in sides}) > 1:
        name = name or sha256(f"{key} {fact.name}".encode()).hexdigest()[:8]
        before = state.get(CONFLICTS, name)
        found = Quarrel.from_json(before).found if before else ""
        yield Change(CONFLICTS, name, Quarrel(name, kind, about, sides, found).as_json())
    elif name:
        ended = replace(conflict_of(state, name), settled=fact.name)
        yield Change(CONFLICTS, name, ended.as_json())
        name = ""
    kept = [side.as_json() for side in sides]
    yield Change(CLAIMS, key, {"conflict": name, "sides": kept})


def _told(fact: Fact, state: State) -> Iterator[Change]:
    """Of what several sites record, the first counts; what was settled stays so."""
    row = state.get(CONFLICTS, fact.body["conflict"])
    if row is None or row["settled"]:
        return
    one = Quarrel.from_json(row)
    if fact.type == "conflict.found":
        if not one.found:
            yield Change(CONFLICTS, one.name, replace(one, found=fact.name).as_json())
        return
    yield Change(CONFLICTS, one.name, replace(one, settled=fact.name).as_json())
    last = one.sides[-1].as_json()
    kept = {"conflict": "", "sides": [{**last, "fact": fact.name}]}
    yield Change(CLAIMS, f"{one.kind}/{one.about}", kept)


projection = Projection(
    name="claims",
    version=2,
    types=frozenset(
        {
            "alias.moved",
            "conflict.found",
            "conflict.settled",
            "model.judged",
            "model.registered",
            "model.revoked",
            "proposal.approved",
            "proposal.done",
            "proposal.failed",
            "proposal.rejected",
            "release.completed",
            "release.rolled-back",
            "release.started",
        }
    ),
    fold=_fold,
)
