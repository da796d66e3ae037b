"""Which machine at which site for every step: the question as numbers, and its answer.

Laws are constraints and are decided before: an option that a label, a policy or missing hardware
forbids is not among a task's options.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Option:
    """One machine type at one site, for one task."""

    site: str
    machine: str
    """The offer's name; `m5.xlarge`, `m5.xlarge spot`."""
    money: float
    """Of the whole task here: boot, compute, expected rework, storage of its outputs."""
    carbon: float
    """kgCO2e, of the same."""
    seconds: float
    """Boot, compute and expected rework."""
    uses: Mapping[str, float] = field(default_factory=dict)
    """Units of each quota pool while it runs."""


@dataclass(frozen=True)
class Task:
    name: str
    options: tuple[Option, ...]
    """At least one."""
    after: tuple[str, ...] = ()
    """Names of tasks that must have ended, beside the makers of what it reads."""


@dataclass(frozen=True)
class Flow:
    """An artifact. It crosses to each other site that reads it once, however many tasks read it
    there; from where it lies at several sites, on the cheapest way."""

    name: str
    gigabytes: float
    """10⁹ bytes."""
    readers: tuple[str, ...]
    """Tasks; each once."""
    maker: str = ""
    """The task that makes it; it lies where that runs."""
    at: tuple[str, ...] = ()
    """Sites where it lies already; given exactly when there is no maker."""
    crossings: Mapping[tuple[str, str], "Crossing"] | None = None
    """As those of a problem, in place of them: where not all may take the same ways."""


@dataclass(frozen=True)
class Crossing:
    """From one site to another, per gigabyte of 10⁹ bytes."""

    money: float
    carbon: float
    """kgCO2e."""
    seconds: float


@dataclass(frozen=True)
class Objective:
    """What is made small: `money` × money + `carbon` × kgCO2e; neither negative, not both zero."""

    money: float = 1.0
    carbon: float = 0.0

    def of(self, money: float, carbon: float) -> float:
        return self.money * money + self.carbon * carbon


@dataclass(frozen=True)
class Problem:
    tasks: tuple[Task, ...]
    flows: tuple[Flow, ...] = ()
    crossings: Mapping[tuple[str, str], Crossing] = field(default_factory=dict)
    """From, to. What is not listed is barred; within a site nothing is paid."""
    objective: Objective = Objective()
    deadline: float | None = None
    """Seconds from the start until the last task has ended."""
    budget: float | None = None
    """Money, of everything."""
    quotas: Mapping[str, float] = field(default_factory=dict)
    """Units of a pool that may be in use at the same time, when every task starts as soon as what
    it needs is there."""

    def crossings_of(self, flow: Flow) -> Mapping[tuple[str, str], Crossing]:
        return self.crossings if flow.crossings is None else flow.crossings


@dataclass(frozen=True)
class Cost:
    """What a choice of options comes to."""

    money: float
    carbon: float
    """kgCO2e."""
    seconds: float
    """Until the last task has ended."""


@dataclass(frozen=True)
class Solution:
    chosen: Mapping[str, int]
    """Task → index of its option."""
    cost: Cost
    objective: float
    bound: float
    """No choice has a smaller objective than this."""
    solver: str = ""
    """Who found it, and its version."""
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was found."""

    @property
    def gap(self) -> float:
        """How far above the bound the objective may be, as a share of it; 0 is proven best."""
        if self.objective <= self.bound:
            return 0.0
        return (self.objective - self.bound) / max(abs(self.objective), 1e-12)

    def as_json(self) -> dict[str, Any]:
        return {
            "bound": self.bound,
            "gap": self.gap,
            "notes": list(self.notes),
            "objective": self.objective,
            "solver": self.solver,
        }


@dataclass(frozen=True)
class Place:
    """Where a step of a plan runs."""

    site: str
    machine: str = ""
    """The offer's machine type; empty where the site states none: whatever is there."""
    spot: bool = False
    """Its machine may be taken away: the step resumes elsewhere."""

    def as_json(self) -> dict[str, Any]:
        return {"machine": self.machine, "site": self.site, "spot": self.spot}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Place":
        return cls(value["site"], value["machine"], value["spot"])
