"""A run of a pipeline and what became of its steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from freehold.domain.artifact import Artifact

StepStatus = Literal["asked", "started", "cached", "finished", "retrying", "interrupted", "failed"]
INTERRUPTED = "step.interrupted"
"""Code of a Failure that is none of the step's: its machine was taken away."""


@dataclass(frozen=True)
class Failure:
    """A step that raised, ran out of time, or returned what it did not promise."""

    code: str
    """`step.raised`, `step.timeout`, `step.returned` or `step.unstorable`; of what another site was
    asked also `step.interrupted`, and why it did not do it, such as `label.barred`."""
    summary: str
    """`ValueError: what it said`."""
    frame: str = ""
    """`file:line in function`, the last frame of the user's own code."""
    traceback: str = ""
    """The user's frames first."""

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "frame": self.frame,
            "summary": self.summary,
            "traceback": self.traceback,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Failure":
        return cls(value["code"], value["summary"], value["frame"], value["traceback"])


@dataclass(frozen=True)
class Result:
    """What one attempt of a step came to."""

    outputs: tuple[Artifact, ...] = ()
    microseconds: int = 0
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    """What went wrong and did not fail it, for people."""
    site: str = ""
    """Where it was done, if elsewhere."""
    machine: str = ""
    """The machine type, where one is known."""
    cached: bool = False
    """The site that was asked had these outputs already."""

    def as_json(self) -> dict[str, Any]:
        """What the process of a step tells: where it runs is not its own to say."""
        return {
            "failure": None if self.failure is None else self.failure.as_json(),
            "microseconds": self.microseconds,
            "outputs": [output.as_json() for output in self.outputs],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Result":
        failure = value["failure"]
        return cls(
            tuple(Artifact.from_json(output) for output in value["outputs"]),
            value["microseconds"],
            None if failure is None else Failure.from_json(failure),
            tuple(value.get("warnings", ())),
        )


@dataclass(frozen=True)
class StepOutcome:
    key: str
    """The cache key."""
    outputs: tuple[Artifact, ...]
    cached: bool
    microseconds: int
    site: str = ""
    """Where its outputs were made, or were found."""


@dataclass(frozen=True)
class RunOutcome:
    run: str
    pipeline: str
    steps: Mapping[str, StepOutcome]
    result: Any
    """What the pipeline returned, each promise an Artifact."""
    microseconds: int = 0


@dataclass(frozen=True)
class Progress:
    """Told to an observer while a run advances."""

    run: str
    step: str
    status: StepStatus
    done: int
    """Steps that are through, this one included if it is."""
    total: int
    detail: Mapping[str, Any] = field(default_factory=dict)
    """`microseconds` when finished; `attempt` and `summary` when retrying or failed; `site` where
    it is not this one; `warnings` of what went wrong beside it."""
