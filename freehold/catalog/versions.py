"""Model versions: what was made, from what, and what was found out about it.

Facts
  model.registered {model, version, run, package: {digest, size}, attestations: {name: digest},
                    headline: {name: number}, champion, rows: {training, evaluation}}
  model.judged     {model, version, allowed, rules: [name], policy: digest, attestations, cost}
                   cost: as the policies were asked, or null; earlier releases had none
  model.revoked    {model, version}

Of verdicts whose writers had not seen each other a denial holds, in either order: only a verdict
whose writer had seen the denial takes it back.

Tables: `versions`; `denied`, by the same key: the denials that nobody took back, name of the fact →
rules.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.errors import NotFound
from freehold.domain.fact import Fact
from freehold.domain.numbering import ALONE, Numbering
from freehold.domain.ordering import knew, unseen
from freehold.domain.projection import Change, Projection, State

TABLE = "versions"
DENIED = "denied"
REVOKED = "revoked"
"""Stands where a verdict names the rules that said no."""


@dataclass(frozen=True)
class ModelVersion:
    model: str
    version: int
    """From 1; without gaps where there is one site."""
    run: str
    package: str
    """Digest of the payload."""
    attestations: Mapping[str, str]
    """Name (`signature`, `evidence`, `card.md`, …) → digest."""
    headline: Mapping[str, float]
    champion: int | None
    """The version that it was compared with."""
    registered: str
    """Name of the fact."""
    wall: int
    actor: str
    allowed: bool | None = None
    """What the policies said; None before they were asked."""
    denials: tuple[str, ...] = ()
    """Rules that said no."""
    judged: str = ""
    """Name of the fact."""

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ModelVersion":
        return cls(**{**row, "denials": tuple(row["denials"])})


def row_key(model: str, version: int) -> str:
    return f"{model}/{version:08d}"


def versions_of(state: State, model: str = "") -> Iterator[ModelVersion]:
    """Oldest first; of every model if none is named."""
    for _, row in state.scan(TABLE, f"{model}/" if model else ""):
        yield ModelVersion.from_row(row)


def version_of(state: State, model: str, version: int) -> ModelVersion:
    """Raises NotFound."""
    row = state.get(TABLE, row_key(model, version))
    if row is None:
        known = ", ".join(str(v.version) for v in versions_of(state, model)) or "none"
        raise NotFound(
            f"there is no {model}@{version}",
            why=f"versions of {model}: {known}",
            hint="`freehold models` lists them",
            code="model.not-found",
        )
    return ModelVersion.from_row(row)


def version_of_run(state: State, run: str) -> ModelVersion | None:
    """The version that a run registered, if it did."""
    return next((v for v in versions_of(state) if v.run == run), None)


def next_version(state: State, model: str, numbering: Numbering = ALONE) -> int:
    return numbering.after(max((v.version for v in versions_of(state, model)), default=0))


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    body = fact.body
    key = row_key(body["model"], body["version"])
    if fact.type == "model.registered":
        if state.get(TABLE, key) is not None:
            # Two writers took one number: the first in the common order keeps it.
            return []
        return [
            Change(
                TABLE,
                key,
                {
                    "model": body["model"],
                    "version": body["version"],
                    "run": body["run"],
                    "package": body["package"]["digest"],
                    "attestations": body["attestations"],
                    "headline": body["headline"],
                    "champion": body["champion"],
                    "registered": fact.name,
                    "wall": fact.time.wall,
                    "actor": fact.actor,
                    "allowed": None,
                    "denials": [],
                    "judged": "",
                },
            )
        ]
    row = state.get(TABLE, key)
    # A verdict about another version that took the same number is not about this one.
    if row is None or not knew(state, fact, row["registered"]):
        return []
    if fact.type == "model.revoked":
        return [Change(TABLE, key, {**row, "allowed": False, "denials": [REVOKED]})]
    if row["denials"] == [REVOKED]:
        return []
    return _judged(fact, row, state)


def _judged(fact: Fact, row: Mapping[str, Any], state: State) -> Iterator[Change]:
    body = fact.body
    key = row_key(body["model"], body["version"])
    before: dict[str, list[str]] = state.get(DENIED, key) or {}
    denied = {name: before[name] for name in unseen(state, fact, before)}
    if body["allowed"] and denied:
        rules = list(dict.fromkeys(rule for one in denied.values() for rule in one))
        yield Change(DENIED, key, denied)
        yield Change(TABLE, key, {**row, "denials": rules, "judged": list(denied)[-1]})
        return
    if not body["allowed"]:
        denied[fact.name] = body["rules"]
    yield Change(DENIED, key, denied or None)
    verdict = {"allowed": body["allowed"], "denials": body["rules"], "judged": fact.name}
    attestations = {**row["attestations"], **body["attestations"]}
    yield Change(TABLE, key, {**row, **verdict, "attestations": attestations})


projection = Projection(
    name="versions",
    version=3,
    types=frozenset({"model.registered", "model.judged", "model.revoked"}),
    fold=_fold,
)
