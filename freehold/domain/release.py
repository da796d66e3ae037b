"""Moving a model version into traffic, step by step."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Literal

from freehold.domain.project import (
    ABTestSpec,
    BanditSpec,
    BlueGreenSpec,
    GuardrailSpec,
    MetricSpec,
    ReleaseSpec,
    RollingSpec,
    ShadowSpec,
)

Strategy = Literal["canary", "immediate", "blue-green", "rolling", "ab-test", "bandit", "shadow"]
Winner = Literal["version", "champion", "none"]
STRATEGIES: Mapping[Strategy, str] = {
    "canary": "a growing share of the traffic",
    "immediate": "all of it at once",
    "blue-green": "loaded everywhere, then all of it at once",
    "rolling": "all of it, one site after the other",
    "ab-test": "a fixed share for a while, then told which is better",
    "bandit": "a share that follows what is earned",
    "shadow": "scores beside the champion without answering, then a canary",
}
"""Name → what it does."""
Status = Literal["running", "completed", "rolled-back"]
GUARDRAILS = ("error-rate", "score-shift", "quality-drop", "latency-ratio")
"""Those of every release, beside the project's own metrics."""


@dataclass(frozen=True)
class Release:
    """Raises ValueError if it stands beside nothing and is not immediate, or its steps do not grow
    to 100."""

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
    ready: Mapping[str, int] = field(default_factory=dict)
    """Site → the latest step whose needs it has said to be met there."""
    winner: Winner | Literal[""] = ""
    """Which of the two a trial has found to be better; empty until it is told."""
    share: int | None = None
    """Percent of the keys that a bandit last gave its version; None before it gave any."""
    look: int = 0
    """How often a bandit changed the shares."""
    weighed: int = 0
    """When it last did, in microseconds since 1970 UTC; 0 if never."""
    gone_back: tuple[str, ...] = ()
    """Sites that have said that it is out of their traffic again."""
    stopped_at: str = ""
    """The site that took it back."""
    stages: tuple[tuple[str, ...], ...] = ()
    """Sites of each stage, where it goes region after region; empty where it does not."""

    def __post_init__(self) -> None:
        steps = self.settings.steps
        if self.strategy != "immediate" and self.previous is None:
            raise ValueError(f"{self.strategy} needs a champion to stand beside")
        if not steps or steps[0] <= 0 or steps[-1] != 100 or list(steps) != sorted(set(steps)):
            raise ValueError("the steps must grow, from above 0 to 100")
        if not 0 <= self.step < len(self.steps):
            raise ValueError("the step is not one of the steps")

    @property
    def steps(self) -> tuple[int, ...]:
        """Of all stages, one after the other: percents of the traffic of a stage's sites; of a
        rolling release, of the sites."""
        return steps_of(self.strategy, self.settings, self.batches)

    @property
    def batches(self) -> tuple[tuple[str, ...], ...]:
        """Sites of each stage; where it does not go region after region, all of them at once."""
        if self.stages:
            return self.stages
        if self.strategy != "rolling":
            return (self.sites,)
        # Before version 5 of its fact, a rolling release knew no regions.
        return batches_of(self.sites, self.settings.rolling.batch)

    @property
    def is_staged(self) -> bool:
        """Whether some of its sites come after others."""
        return self.strategy == "rolling" or len(self.stages) > 1

    @property
    def stage(self) -> int:
        """Index into `batches` of the one whose sites move now."""
        return self.step // self._each

    @property
    def within(self) -> int:
        """Index of the running step among those of its stage."""
        return self.step % self._each

    @property
    def is_last_within(self) -> bool:
        """Whether the stage ends with the running step."""
        return self.within == self._each - 1

    @property
    def _each(self) -> int:
        return len(within_of(self.strategy, self.settings, self.is_staged))

    @property
    def lead(self) -> str:
        """The site that decides on the running step: where a stage's steps follow from what is seen
        there, one of that stage."""
        here = self.batches[self.stage]
        return self.driver if self.strategy == "rolling" or self.driver in here else here[0]

    def begun_at(self, site: str) -> tuple[int, ...]:
        """When the steps began from which on a site looks, the running one last: those of its own
        stage, since no later one changes anything there. Before its stage, the running step."""
        if not self.is_staged:
            return self.begun
        own = next((at for at, batch in enumerate(self.batches) if site in batch), len(self.begun))
        return self.begun[own * self._each : (own + 1) * self._each] or self.begun[-1:]

    @property
    def stage_began(self) -> int:
        """Microseconds since 1970 UTC."""
        return self.begun[self.stage * self._each]

    @property
    def weight(self) -> int:
        """Percent of the traffic that its version gets now; where it goes region after region, at
        the sites of the stage; of a rolling release, of the sites."""
        if self.status == "rolled-back":
            return 0
        if self.status == "running" and self.share is not None:
            return self.share
        return 100 if self.status == "completed" else self.steps[self.step]

    @property
    def trial(self) -> ABTestSpec | BanditSpec | None:
        """What a trial of two versions goes by; None of any other strategy."""
        if self.strategy == "ab-test":
            return self.settings.ab_test
        return self.settings.bandit if self.strategy == "bandit" else None

    @property
    def is_shadow(self) -> bool:
        """Whether its version scores rows that others answer, and answers none."""
        return self.strategy == "shadow" and (self.status, self.within) == ("running", 0)

    @property
    def is_trying(self) -> bool:
        """Whether it is a trial whose result is not acted on yet where it runs."""
        return self.trial is not None and self.within == 0

    @property
    def seed(self) -> int:
        """Of all chance in it, from its name and its beginning: the same for whoever looks."""
        named = f"{self.id} {self.started}".encode()
        return int.from_bytes(sha256(named).digest()[:8], "big")

    def reaches(self, site: str) -> bool:
        """Whether its version stands at the site, now or before it was taken back."""
        if not self.is_staged:
            return True
        return any(site in batch for batch in self.batches[: self.stage + 1])

    def has_passed(self, site: str) -> bool:
        """Whether a later stage runs than the site's own."""
        return any(site in batch for batch in self.batches[: self.stage])

    @property
    def awaited(self) -> tuple[str, ...]:
        """Sites whose word the running step needs before it is left upwards."""
        if self.is_staged and self.is_last_within:
            return self.batches[self.stage]
        loads = self.strategy == "blue-green" and self.within == 0
        return self.batches[self.stage] if loads else ()

    @property
    def unready(self) -> tuple[str, ...]:
        """Those that have not given it."""
        return tuple(site for site in self.awaited if self.ready.get(site, -1) < self.step)

    @property
    def risk(self) -> float:
        """Chance at most that one guardrail's bound, of what was seen at one site since one step
        began, is ever wrong. Equal parts (Bonferroni): nobody knows beforehand which guardrail a
        version will cross, nor where or in which step, and how the figures depend on each other
        need not be known. A site looks since the steps of its own stage alone (`begun_at`)."""
        bounds = (len(GUARDRAILS) + len(self.settings.metrics)) * self._each
        return self.settings.false_rollbacks / (bounds * max(1, len(self.sites)))

    def as_json(self) -> dict[str, Any]:
        return {
            "began": self.began,
            "begun": list(self.begun),
            "driver": self.driver,
            "fact": self.fact,
            "gone_back": list(self.gone_back),
            "guardrail": self.guardrail,
            "id": self.id,
            "look": self.look,
            "model": self.model,
            "order": self.order,
            "paused": self.paused,
            "ready": dict(self.ready),
            "stopped_at": self.stopped_at,
            "previous": self.previous,
            "settings": settings_as_json(self.settings, self.strategy),
            "share": self.share,
            "sites": list(self.sites),
            "stages": [list(batch) for batch in self.stages],
            "started": self.started,
            "status": self.status,
            "step": self.step,
            "strategy": self.strategy,
            "version": self.version,
            "weighed": self.weighed,
            "winner": self.winner,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Release":
        """Raises KeyError, TypeError or ValueError on anything but what `as_json` gave."""
        settings = settings_from_json(value["settings"])
        lists = {name: tuple(value[name]) for name in ("begun", "gone_back", "sites")}
        stages = tuple(map(tuple, value["stages"]))
        return cls(**{**value, **lists, "stages": stages, "settings": settings})


def steps_of(
    strategy: Strategy, settings: ReleaseSpec, batches: tuple[tuple[str, ...], ...]
) -> tuple[int, ...]:
    """Percents of the traffic of each stage's sites, step by step and stage after stage; of a
    rolling release, of the sites."""
    if strategy == "rolling":
        whole = sum(map(len, batches))
        reached = [sum(map(len, batches[: at + 1])) for at in range(len(batches))]
        return tuple(max(1, 100 * count // whole) for count in reached)
    return within_of(strategy, settings, len(batches) > 1) * len(batches)


def within_of(strategy: Strategy, settings: ReleaseSpec, staged: bool) -> tuple[int, ...]:
    """Percents of the traffic of a stage's sites, step by step. Where other stages follow, a trial
    is followed by all of its own stage's traffic."""
    match strategy:
        case "canary":
            return settings.steps
        case "shadow":
            return (0, *settings.steps)
        case "blue-green":
            return (0, 100)
        case "ab-test":
            return (settings.ab_test.share, *((100,) if staged else ()))
        case "bandit":
            return (settings.bandit.share, *((100,) if staged else ()))
        case "immediate" | "rolling":
            return (100,)


def batches_of(sites: tuple[str, ...], size: int) -> tuple[tuple[str, ...], ...]:
    return tuple(sites[at : at + size] for at in range(0, len(sites), size))


OWN_SETTINGS: Mapping[Strategy, str] = {
    "ab-test": "ab_test",
    "bandit": "bandit",
    "blue-green": "blue_green",
    "rolling": "rolling",
    "shadow": "shadow",
}
"""Strategy → the field of ReleaseSpec that is its own."""


def settings_as_json(settings: ReleaseSpec, strategy: Strategy) -> dict[str, Any]:
    """Those that count for every release, and the strategy's own."""
    guardrails = settings.guardrails
    own = {OWN_SETTINGS[strategy]} if strategy in OWN_SETTINGS else set[str]()
    staged = settings.by_region and strategy not in ("immediate", "rolling")
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
        **({"by_region": True} if staged else {}),
        **{
            name: asdict(getattr(settings, name)) for name in own | ({"rolling"} if staged else own)
        },
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
        ab_test=ABTestSpec(**value.get("ab_test", {})),
        bandit=BanditSpec(**value.get("bandit", {})),
        blue_green=BlueGreenSpec(**value.get("blue_green", {})),
        by_region=value.get("by_region", False),
        rolling=RollingSpec(**value.get("rolling", {})),
        shadow=ShadowSpec(**value.get("shadow", {})),
    )
