"""Moving a model version into traffic, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from freehold.domain.project import GuardrailSpec, MetricSpec, ReleaseSpec

Strategy = Literal["canary", "immediate"]
STRATEGIES: Mapping[Strategy, str] = {
    "canary": "a growing share of the traffic",
    "immediate": "all of it at once",
}
"""Name → what it does."""
Status = Literal["running", "completed", "rolled-back"]
GUARDRAILS = ("error-rate", "score-shift", "quality-drop", "latency-ratio")
"""Those of every release, beside the project's own metrics."""


@dataclass(frozen=True)
class Release:
    """Raises ValueError if it is a canary beside nothing, or its steps do not grow to 100."""

    id: str
    """`model/number`; also the salt of the routing tables that it makes."""
    model: str
    version: int
    previous: int | None
    """The champion that it replaces."""
    strategy: Strategy
    settings: ReleaseSpec
    step: int = 0
    """Index into `steps`."""
    status: Status = "running"
    began: int = 0
    """When the step began, in microseconds since 1970 UTC."""
    begun: tuple[int, ...] = ()
    """When each step that was reached began, the running one last."""
    fact: str = ""
    """Name of the fact that began the step."""
    guardrail: str = ""
    """The one that was crossed, if it was rolled back; `person`, `revoked`, or `elsewhere` where
    another site rolled the version back without knowing of this release."""
    sites: tuple[str, ...] = ()
    """Where it moves the version into traffic."""
    driver: str = ""
    """The site that looks at the guardrails and decides on the steps."""
    started: str = ""
    """Name of the fact that began it."""
    order: int = 0
    """How many releases of the model began before it."""
    paused: bool = False
    """Whether a person keeps it where it is; what must go back still does."""

    def __post_init__(self) -> None:
        steps = self.settings.steps
        if self.strategy == "canary" and self.previous is None:
            raise ValueError("a canary needs a champion to stand beside")
        if not steps or steps[0] <= 0 or steps[-1] != 100 or list(steps) != sorted(set(steps)):
            raise ValueError("the steps must grow, from above 0 to 100")
        if not 0 <= self.step < len(self.steps):
            raise ValueError("the step is not one of the steps")

    @property
    def steps(self) -> tuple[int, ...]:
        """Percents of traffic."""
        return self.settings.steps if self.strategy == "canary" else (100,)

    @property
    def weight(self) -> int:
        """Percent of the traffic that its version gets now."""
        if self.status == "rolled-back":
            return 0
        return 100 if self.status == "completed" else self.steps[self.step]

    @property
    def risk(self) -> float:
        """Chance at most that one guardrail's bound, of what was seen since one step began, is ever
        wrong. Equal parts (Bonferroni): nobody knows beforehand which guardrail a version will
        cross, nor in which step, and how the figures depend on each other need not be known."""
        parts = (len(GUARDRAILS) + len(self.settings.metrics)) * len(self.steps)
        return self.settings.false_rollbacks / parts

    def as_json(self) -> dict[str, Any]:
        return {
            "began": self.began,
            "begun": list(self.begun),
            "driver": self.driver,
            "fact": self.fact,
            "guardrail": self.guardrail,
            "id": self.id,
            "model": self.model,
            "order": self.order,
            "paused": self.paused,
            "previous": self.previous,
            "settings": settings_as_json(self.settings),
            "sites": list(self.sites),
            "started": self.started,
            "status": self.status,
            "step": self.step,
            "strategy": self.strategy,
            "version": self.version,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Release":
        """Raises KeyError, TypeError or ValueError on anything but what `as_json` gave."""
        settings = settings_from_json(value["settings"])
        lists = {"begun": tuple(value["begun"]), "sites": tuple(value["sites"])}
        return cls(**{**value, **lists, "settings": settings})


def settings_as_json(settings: ReleaseSpec) -> dict[str, Any]:
    guardrails = settings.guardrails
    return {
        "false_rollbacks": settings.false_rollbacks,
        "guardrails": {
            "error_rate": guardrails.error_rate,
            "latency_ratio": guardrails.latency_ratio,
            "quality_drop": guardrails.quality_drop,
            "score_shift": guardrails.score_shift,
        },
        "metrics": {
            name: {"better": one.better, "drop": one.drop} for name, one in settings.metrics.items()
        },
        "minimum_rows": settings.minimum_rows,
        "steps": list(settings.steps),
    }


def settings_from_json(value: Mapping[str, Any]) -> ReleaseSpec:
    """Facts of earlier releases have neither a rate nor metrics. When releases freeze is no matter
    of one release: it stands in the project's file."""
    return ReleaseSpec(
        steps=tuple(value["steps"]),
        minimum_rows=value["minimum_rows"],
        guardrails=GuardrailSpec(**value["guardrails"]),
        false_rollbacks=value.get("false_rollbacks", ReleaseSpec.false_rollbacks),
        metrics={name: MetricSpec(**one) for name, one in value.get("metrics", {}).items()},
    )
