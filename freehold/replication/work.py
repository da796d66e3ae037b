"""Work that is asked of a site, its leases and how it ended, as rows of the table `work`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from freehold.domain.artifact import Artifact
from freehold.domain.fact import site_of
from freehold.domain.placement import Place

Ending = Literal["finished", "failed"]
Standing = Literal["waiting", "leased", "finished", "failed", "cancelled"]


@dataclass(frozen=True)
class Lease:
    fence: int
    writer: str
    seconds: float
    """Without a sign of life after which others may take over."""
    taken: str
    """Name of the fact."""
    pulse: str
    """Name of the newest fact that shows its holder alive."""
    released: bool = False


@dataclass(frozen=True)
class Completion:
    fact: str
    writer: str
    fence: int
    run: str
    """Empty if none was begun."""
    status: Ending
    version: int | None
    code: str
    """Of the error that it failed with, or empty."""
    outputs: tuple[Artifact, ...] = ()
    """Of a step; they lie at the site that made them."""
    machine: str = ""
    """The machine type that did it, where one is known."""
    microseconds: int = 0
    """That the step itself took."""
    cached: bool = False
    """The site had made these outputs before."""
    failure: str = ""
    """Name of the attachment that says how the step failed, if that may travel to who asked."""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "outputs": [one.as_json() for one in self.outputs]}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Completion":
        outputs = tuple(Artifact.from_json(one) for one in row.get("outputs", ()))
        return cls(**{**row, "outputs": outputs})


@dataclass(frozen=True)
class AskedStep:
    """One attempt of a step of a run that another site drives."""

    run: str
    step: str
    key: str
    """Digest under which its outputs are found again."""
    ordinal: int
    """1 + how many attempts of the step had ended, one way or another, when it was asked."""
    attempt: int
    """As retries are counted."""
    place: Place
    inputs: tuple[str, ...] = ()
    """Digests of the artifacts that it reads."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of its inputs and its outputs together."""
    back: bool = False
    """Whether its outputs are needed at the site that asked."""
    needs: Mapping[str, float] = field(default_factory=dict)
    """`cpus`, `memory` in bytes, `accelerators`."""

    def as_json(self) -> dict[str, Any]:
        place = self.place
        told = {one: getattr(self, one) for one in _PLAIN}
        return {**told, "inputs": list(self.inputs), "machine": place.machine, "spot": place.spot}

    @classmethod
    def from_json(cls, row: Mapping[str, Any], site: str) -> "AskedStep":
        return cls(
            **{one: row[one] for one in _PLAIN},
            inputs=tuple(row["inputs"]),
            place=Place(site, row["machine"], row["spot"]),
        )


_PLAIN = ("attempt", "back", "key", "labels", "needs", "ordinal", "run", "step")


@dataclass(frozen=True)
class Work:
    """A pipeline to be run at a site, or one attempt of a step."""

    name: str
    site: str
    pipeline: str
    parameters: Mapping[str, Any]
    """Those that are not text."""
    parameters_attachment: str
    requested: str
    """Name of the fact."""
    wall: int
    """When, by its writer's clock, microseconds since 1970 UTC."""
    actor: str
    leases: tuple[Lease, ...] = ()
    """In the common order."""
    completion: Completion | None = None
    """The one that is accepted."""
    superseded: tuple[Completion, ...] = ()
    cancelled: tuple[str, ...] = ()
    """Names of the facts: more than one, where several said so without knowing of each other."""
    step: AskedStep | None = None
    """None where a whole pipeline is asked for."""

    @property
    def asked_by(self) -> str:
        """The site."""
        return site_of(self.requested.rpartition("/")[0])

    @property
    def open(self) -> bool:
        return self.completion is None and not self.cancelled

    @property
    def fence(self) -> int:
        """The highest that was taken; 0 before the first."""
        return max((lease.fence for lease in self.leases), default=0)

    @property
    def standing_leases(self) -> tuple[Lease, ...]:
        """Those of the highest fence that were not released: two, where neither knew the other."""
        return tuple(one for one in self.leases if one.fence == self.fence and not one.released)

    @property
    def holder(self) -> Lease | None:
        return next(iter(self.standing_leases), None)

    @property
    def standing(self) -> Standing:
        if self.completion is not None:
            return self.completion.status
        if self.cancelled:
            return "cancelled"
        return "waiting" if self.holder is None else "leased"

    def lease_of(self, writer: str) -> Lease | None:
        """The one of the highest fence that this writer holds."""
        return next((one for one in self.standing_leases if one.writer == writer), None)

    def as_json(self) -> dict[str, Any]:
        return {
            "actor": self.actor,
            "cancelled": list(self.cancelled),
            "completion": None if self.completion is None else self.completion.as_json(),
            "leases": [asdict(one) for one in self.leases],
            "parameters": dict(self.parameters),
            "parameters_attachment": self.parameters_attachment,
            "pipeline": self.pipeline,
            "requested": self.requested,
            "site": self.site,
            "step": None if self.step is None else self.step.as_json(),
            "superseded": [one.as_json() for one in self.superseded],
            "wall": self.wall,
            "work": self.name,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Work":
        completion = row["completion"]
        return cls(
            name=row["work"],
            site=row["site"],
            pipeline=row["pipeline"],
            parameters=row["parameters"],
            parameters_attachment=row["parameters_attachment"],
            requested=row["requested"],
            wall=row["wall"],
            actor=row["actor"],
            leases=tuple(Lease(**one) for one in row["leases"]),
            completion=None if completion is None else Completion.from_json(completion),
            superseded=tuple(Completion.from_json(one) for one in row["superseded"]),
            cancelled=tuple(row["cancelled"]),
            step=None if row["step"] is None else AskedStep.from_json(row["step"], row["site"]),
        )
