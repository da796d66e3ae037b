"""From signals to proposals, and what became of them.

Facts, version 1 each; bodies hold numbers, codes, ISO dates and names of columns only:

`signal.raised`      Signal.as_json()
`proposal.made`      proposal, model, version, action, day, signals [{kind, feature, window_end}]
`proposal.approved`  proposal, day           the actor is the fact's
`proposal.rejected`  proposal, day
`proposal.done`      proposal, day, made_version
`proposal.failed`    proposal, day, code     of the error that ended it

    made → approved → done
      │       └─────→ failed
      └──→ rejected

Tables: `signals`, by `model/window_end/version/kind/feature`, the body with the fact's name;
`proposals`, by proposal, as Proposal.as_json() gives it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft, Fact
from freehold.domain.project import MonitoringSpec
from freehold.domain.projection import Change, Projection, State
from freehold.domain.signal import Signal, days_between

Standing = Literal["made", "approved", "rejected", "done", "failed"]
Settling = Literal["approved", "rejected", "done", "failed"]

OPEN: frozenset[Standing] = frozenset({"made", "approved"})
BEFORE: Mapping[Settling, Standing] = {
    "approved": "made",
    "done": "approved",
    "failed": "approved",
    "rejected": "made",
}
"""The standing that a proposal must have for this to happen to it."""


@dataclass(frozen=True)
class Proposal:
    """What the system wants to do about a signal."""

    name: str
    """`model/day`: a model gets one a day at most."""
    model: str
    version: int
    """The version that the signals are about."""
    day: str
    """ISO date on which it was made."""
    signals: tuple[Mapping[str, Any], ...]
    """kind, feature and window_end of each signal behind it."""
    action: str = "retrain"
    standing: Standing = "made"
    settled: str = ""
    """ISO date of the last change of standing; empty while it stands as made."""
    made_version: int | None = None
    """What came of it."""
    fact: str = ""
    """Name of the fact that made it."""
    approval: str = ""
    """Name of the fact that approved it: the cause of what is then done."""
    begins: int = 0
    """Microseconds since 1970 before which what is approved is not begun; 0: at once."""

    @property
    def open(self) -> bool:
        return self.standing in OPEN

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "approval": self.approval,
            "begins": self.begins,
            "day": self.day,
            "fact": self.fact,
            "made_version": self.made_version,
            "model": self.model,
            "proposal": self.name,
            "settled": self.settled,
            "signals": [dict(one) for one in self.signals],
            "standing": self.standing,
            "version": self.version,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Proposal":
        return cls(
            name=value["proposal"],
            model=value["model"],
            version=value["version"],
            day=value["day"],
            signals=tuple(value["signals"]),
            action=value["action"],
            standing=value.get("standing", "made"),
            settled=value.get("settled", ""),
            made_version=value.get("made_version"),
            fact=value.get("fact", ""),
            approval=value.get("approval", ""),
            begins=value.get("begins", 0),
        )


def propose(
    signals: Sequence[Signal],
    history: Iterable[Proposal],
    now_day: str,
    settings: MonitoringSpec,
) -> Proposal | None:
    """To retrain the model that `signals` are about, or None.

    None when no signal asks for action, while a proposal for the model is open, and until
    `cool_down_days` have gone by since the last one was made or settled. Raises ValueError if the
    signals are about several versions.
    """
    pressing = [one for one in signals if one.severity == "action"]
    if not pressing:
        return None
    if len({(one.model, one.version) for one in signals}) > 1:
        raise ValueError("signals of several model versions make no one proposal")
    model, version = pressing[0].model, pressing[0].version
    earlier = [one for one in history if one.model == model]
    if any(one.open or one.day == now_day for one in earlier):
        return None
    last = max((max(one.day, one.settled) for one in earlier), default="")
    if last and days_between(last, now_day) < settings.cool_down_days:
        return None
    behind = tuple(
        {"feature": one.feature, "kind": one.kind, "window_end": one.window.end} for one in pressing
    )
    return Proposal(f"{model}/{now_day}", model, version, now_day, behind)


def raised(signal: Signal, cause: Sequence[str] = ()) -> Draft:
    return Draft("signal.raised", signal.as_json(), cause=tuple(cause))


def made(proposal: Proposal, cause: Sequence[str] = ()) -> Draft:
    """`cause`: names of the facts of its signals."""
    body = {
        "action": proposal.action,
        "day": proposal.day,
        "model": proposal.model,
        "proposal": proposal.name,
        "signals": [dict(one) for one in proposal.signals],
        "version": proposal.version,
    }
    return Draft("proposal.made", body, cause=tuple(cause))


def settle(
    proposal: Proposal,
    standing: Settling,
    day: str,
    *,
    actor: str = "system",
    made_version: int | None = None,
    code: str = "",
    begins: int = 0,
) -> Draft:
    """The fact that a proposal was approved, rejected or done. `begins`: of one that is approved,
    when it is not to be carried out at once.

    Raises Conflict `proposal.not-open` if its standing does not allow that.
    """
    if proposal.standing != BEFORE[standing]:
        raise Conflict(
            f"proposal {proposal.name} cannot be {standing}",
            why=f"it is {proposal.standing}; only one that is {BEFORE[standing]} can be",
            hint="`freehold signals` lists the proposals that are open",
            code="proposal.not-open",
        )
    body: dict[str, Any] = {"day": day, "proposal": proposal.name}
    if standing == "done":
        body["made_version"] = made_version
    if standing == "failed":
        body["code"] = code
    if begins:
        body["begins"] = begins
    cause = tuple(name for name in (proposal.approval or proposal.fact,) if name)
    return Draft(f"proposal.{standing}", body, cause=cause, actor=actor)


def signals_of(state: State, model: str) -> list[Signal]:
    """All that were raised for a model, by their windows' ends."""
    return [Signal.from_json(row) for _, row in state.scan("signals", f"{model}/")]


def proposals_of(state: State, model: str) -> list[Proposal]:
    """All that were made for a model, the oldest first."""
    return [Proposal.from_json(row) for _, row in state.scan("proposals", f"{model}/")]


def fold(fact: Fact, state: State) -> Iterable[Change]:
    """Total: a fact that does not fit a proposal's standing changes nothing."""
    body = fact.body
    if fact.type == "signal.raised":
        feature = body["feature"] or ""
        key = f"{body['model']}/{body['window_end']}/{body['version']}/{body['kind']}/{feature}"
        return [Change("signals", key, {**body, "fact": fact.name})]
    if fact.type == "proposal.made":
        if state.get("proposals", body["proposal"]) is not None:
            return []
        begun = Proposal.from_json({**body, "fact": fact.name})
        return [Change("proposals", begun.name, begun.as_json())]
    row = state.get("proposals", body["proposal"])
    standing = fact.type.removeprefix("proposal.")
    if row is None or row["standing"] != BEFORE[_settling(standing)]:
        return []
    settled = {**row, "standing": standing, "settled": body["day"]}
    if standing == "done":
        settled["made_version"] = body["made_version"]
    if standing == "approved":
        settled["approval"] = fact.name
        settled["begins"] = body.get("begins", 0)
    return [Change("proposals", row["proposal"], settled)]


def _settling(standing: str) -> Settling:
    for one in BEFORE:
        if one == standing:
            return one
    raise ValueError(f"proposal.{standing} is no fact of this projection")


PROPOSALS = Projection(
    name="proposals",
    version=3,
    types=frozenset({"signal.raised", "proposal.made", *(f"proposal.{one}" for one in BEFORE)}),
    fold=fold,
)
