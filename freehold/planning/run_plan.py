"""A plan of one run at one site: what would run, what is cached, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.canonical import digest_of


@dataclass(frozen=True)
class PlannedStep:
    step: str
    function: str
    action: str
    """`run`, `cached`, or `depends`: runs only if an earlier step gives something new."""
    reasons: tuple[str, ...]
    where: str
    site: str


@dataclass(frozen=True)
class RunPlan:
    pipeline: str
    parameters: Mapping[str, Any]
    """JSON."""
    steps: tuple[PlannedStep, ...]
    model: str = ""
    """The model that a version is made of, if the pipeline makes one."""
    code: str = ""
    """Digest of the project's modules."""

    def count(self, action: str) -> int:
        return sum(1 for step in self.steps if step.action == action)

    @property
    def digest(self) -> str:
        """Of all that the plan assumed."""
        return digest_of(self._body())

    def as_json(self) -> dict[str, Any]:
        return {"shape": 1, "digest": self.digest, **self._body()}

    def _body(self) -> dict[str, Any]:
        return {
            "pipeline": self.pipeline,
            "parameters": dict(self.parameters),
            "model": self.model,
            "code": self.code,
            "steps": [
                {
                    "step": step.step,
                    "function": step.function,
                    "action": step.action,
                    "reasons": list(step.reasons),
                    "where": step.where,
                    "site": step.site,
                }
                for step in self.steps
            ],
        }
