"""Work that is asked of a site, its leases and how it ended, as rows of the table `work`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

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


@dataclass(frozen=True)
class Work:
    """A pipeline to be run at a site."""

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
            "completion": None if self.completion is None else asdict(self.completion),
            "leases": [asdict(one) for one in self.leases],
            "parameters": dict(self.parameters),
            "parameters_attachment": self.parameters_attachment,
            "pipeline": self.pipeline,
            "requested": self.requested,
            "site": self.site,
            "superseded": [asdict(one) for one in self.superseded],
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
            completion=None if completion is None else Completion(**completion),
            superseded=tuple(Completion(**one) for one in row["superseded"]),
            cancelled=tuple(row["cancelled"]),
        )
