"""What a step is expected to take and to make, and from where that is known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from freehold.domain.artifact import Artifact
from freehold.domain.offer import Figure, Offer
from freehold.domain.step import StepDefinition
from freehold.planning.ground import Ground

CHECKPOINT_SECONDS = 600.0
"""Assumed between two checkpoints of a step that resumes: half of it is lost by an interruption."""
CHECKPOINTS = Figure(
    CHECKPOINT_SECONDS,
    "s",
    "assumed between two checkpoints; an interruption loses half of it, or half of shorter work",
)


@dataclass(frozen=True)
class Measured:
    """What earlier runs of a step took and made; the latest last."""

    seconds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By machine type; empty text for a machine that was not named."""
    output_bytes: tuple[int, ...] = ()
    """By output, of the latest."""
    run: str = ""
    """The latest."""


@dataclass(frozen=True)
class Estimate:
    seconds: Figure
    """At work, on any machine that was not measured itself."""
    by_machine: Mapping[str, Figure]
    outputs: tuple[Figure, ...]
    """Bytes of each output."""
    lies_at: frozenset[str] = frozenset()
    """Other sites that hold what the step makes: asked for it there, nothing is begun."""
    registered: frozenset[int] = frozenset()
    """Which of the outputs are registered as a model version."""

    def kept(self, site: str, ground: Ground) -> float:
        """Bytes that are kept at a site because the step runs there: what is no copy as well, which
        is counted by itself."""
        copies = ground.replicas.get(site, frozenset())
        if site in self.lies_at or "results" in copies:
            return 0.0
        own = (n for n in range(len(self.outputs)) if not (copies and n in self.registered))
        return sum(self.outputs[number].value for number in own)

    def at(self, offer: Offer) -> tuple[Offer, Figure]:
        """What the step pays for, and for how many seconds of work, if it goes there."""
        if offer.site not in self.lies_at:
            return offer, self.on(offer.machine)
        told = f"none: what it makes lies at {offer.site}, as the history says"
        return replace(offer, boot=0.0, boot_source=told), Figure(0.0, "s", told)

    def on(self, machine: str) -> Figure:
        return self.by_machine.get(machine, self.seconds)


def estimate(step: StepDefinition, measured: Measured, assumed_seconds: float) -> Estimate:
    """The median of what was measured on that machine type, else on any, else what the step says,
    else what the project assumes."""
    by_machine = {
        machine: Figure(median(times), "s", f"median of {len(times)} run(s) on {machine}")
        for machine, times in measured.seconds.items()
        if machine and times
    }
    every = [time for times in measured.seconds.values() for time in times]
    if every:
        seconds = Figure(median(every), "s", f"median of {len(every)} run(s) on other machines")
    elif step.expected_seconds:
        seconds = Figure(step.expected_seconds, "s", f"stated by the step at {step.where}")
    else:
        seconds = Figure(assumed_seconds, "s", "assumed: it never ran and states nothing")
    return Estimate(seconds, by_machine, _outputs(step, measured))


def lying(expected: Estimate, made: Sequence[Artifact], sites: Iterable[str]) -> Estimate:
    """Of a step whose outputs lie at other sites: their sizes are known."""
    told = f"which lies at {', '.join(sorted(sites))}"
    outputs = tuple(Figure(float(one.size), "B", f"{one.digest}, {told}") for one in made)
    return replace(expected, outputs=outputs, lies_at=frozenset(sites))


def _outputs(step: StepDefinition, measured: Measured) -> tuple[Figure, ...]:
    count = len(step.returns)
    if len(measured.output_bytes) == count:
        told = f"as run {measured.run} made"
        return tuple(Figure(float(size), "B", told) for size in measured.output_bytes)
    if step.expected_bytes:
        told = f"stated by the step at {step.where}"
        return tuple(Figure(step.expected_bytes / count, "B", told) for _ in range(count))
    return tuple(Figure(0.0, "B", "unknown: it never ran and states nothing") for _ in range(count))


@dataclass(frozen=True)
class Occupation:
    """Of one machine by one step."""

    seconds: float
    """From asking for the machine to the step's end."""
    work: float
    """Seconds of these in which the step works, if it is not interrupted."""
    money: float
    carbon: float
    """kgCO2e."""
    formula: str
    """How the money comes about, with its figures."""
    checkpoints: Figure | None = None
    """Seconds between two, where rework of spot is counted."""


def occupation(offer: Offer, work: Figure, currency: str) -> Occupation:
    """Boot, work and, on spot, expected rework: each interruption costs another boot and half of
    the time between two checkpoints, or half of the work where that is less."""
    hours, rework, told, between = work.value / 3600, 0.0, "", None
    if offer.spot and offer.interruptions is not None:
        lost = min(CHECKPOINT_SECONDS, work.value) / 2
        rework = offer.interruptions.value * hours * (offer.boot + lost)
        told = (
            f" + {offer.interruptions.value:g} interruptions/h × {hours:.6g} h"
            f" × ({offer.boot:g} s boot + {lost:.6g} s lost) of rework"
        )
        between = CHECKPOINTS
    seconds = offer.boot + work.value + rework
    carbon = 0.0 if offer.carbon is None else offer.carbon.value * seconds / 3600
    return Occupation(
        seconds,
        work.value,
        offer.price.value * seconds / 3600,
        carbon,
        f"({offer.boot:.0f} s boot + {work.value:.0f} s work{told})"
        f" × {offer.price.value:g} {currency}/h",
        between,
    )
