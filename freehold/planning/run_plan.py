"""A plan of one run: what would run, what is cached and why, and where each step goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.domain.canonical import digest_of
from freehold.domain.placement import Place
from freehold.planning.placed import Placed
from freehold.planning.waiting import Wait

SHAPE = 2


@dataclass(frozen=True)
class PlannedStep:
    step: str
    function: str
    action: str
    """`run`, `cached`, or `depends`: runs only if an earlier step gives something new."""
    reasons: tuple[str, ...]
    where: str
    place: Place

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "function": self.function,
            "place": self.place.as_json(),
            "reasons": list(self.reasons),
            "site": self.place.site,
            "step": self.step,
            "where": self.where,
        }


@dataclass(frozen=True)
class RunPlan:
    pipeline: str
    parameters: Mapping[str, Any]
    """JSON."""
    steps: tuple[PlannedStep, ...]
    model: str = ""
    """The model that a version is made of, if the pipeline makes one."""
    assumed: Mapping[str, str] = field(default_factory=dict)
    """Digest of each thing that the plan stands on: `code`, `environment`, `labels`, `policies`,
    `prices`, `sites`. It is not carried out when one has changed."""
    without: tuple[str, ...] = ()
    """Sites that were left out, as a person said."""
    placed: Placed | None = None
    """None where no site states its machines: every step then runs where the plan is made."""
    wait: Wait | None = None
    """How long the run waits for cleaner power, if it may."""

    def count(self, action: str) -> int:
        return sum(1 for step in self.steps if step.action == action)

    @property
    def places(self) -> dict[str, Place]:
        return {step.step: step.place for step in self.steps}

    @property
    def digest(self) -> str:
        """Of what would be done and all that it stands on; how it was found is not part of it."""
        return digest_of(self._body())

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": SHAPE,
            "digest": self.digest,
            **self._body(),
            "placement": None if self.placed is None else self.placed.as_json(),
            "wait": None if self.wait is None else self.wait.as_json(),
        }

    def _body(self) -> dict[str, Any]:
        return {
            "assumed": dict(self.assumed),
            "model": self.model,
            "parameters": dict(self.parameters),
            "pipeline": self.pipeline,
            "steps": [step.as_json() for step in self.steps],
            "without": list(self.without),
        }
