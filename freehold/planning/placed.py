"""A placement for people and machines: the winner of every step, the runner-up, who was refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from freehold.domain.offer import Figure
from freehold.domain.placement import Cost, Place, Solution
from freehold.planning.ground import GIGABYTE
from freehold.planning.labelling import Labels
from freehold.planning.onward import Route
from freehold.planning.refusal import Refusal

SHOWN = 5
"""Other places of a step that a plan's JSON lists."""


@dataclass(frozen=True)
class RunnerUp:
    """The next best option of a step while all others stay; what it costs more, crossings and
    keeping included."""

    place: Place
    money: float
    carbon: float
    """kgCO2e."""

    def as_json(self) -> dict[str, Any]:
        return {"place": self.place.as_json(), "more": {"carbon": self.carbon, "money": self.money}}


@dataclass(frozen=True)
class PlacedStep:
    step: str
    place: Place
    money: float
    """Of the machine and of keeping what it makes."""
    carbon: float
    """kgCO2e."""
    seconds: float
    labels: Labels
    """That it handles."""
    lowers: Labels
    figures: Mapping[str, Figure]
    """What the money, carbon and seconds were made of, by name."""
    formula: str
    runner_up: RunnerUp | None
    """None where there is no other option."""
    refused: tuple[Refusal, ...]
    route: Route
    """For when its machine is taken away."""

    def as_json(self) -> dict[str, Any]:
        return {
            "carbon": self.carbon,
            "figures": {name: figure.as_json() for name, figure in self.figures.items()},
            "formula": self.formula,
            "labels": dict(self.labels),
            "lowers": dict(self.lowers),
            "money": self.money,
            "latest": self.route.latest if isfinite(self.route.latest) else None,
            "otherwise": [one.place.as_json() for one in self.route.ways[1 : 1 + SHOWN]],
            "place": self.place.as_json(),
            "refused": [one.as_json() for one in self.refused],
            "runner_up": None if self.runner_up is None else self.runner_up.as_json(),
            "seconds": self.seconds,
            "step": self.step,
        }


@dataclass(frozen=True)
class PlacedCrossing:
    """An artifact that leaves a site."""

    output: str
    """`load.0`: step and number."""
    origin: str
    destination: str
    size: Figure
    """Bytes."""
    money: float
    carbon: float
    labels: Labels
    price: Figure
    """Money per GB."""
    carbon_rate: Figure
    """kgCO2e per GB."""
    seconds_rate: Figure
    """Seconds per GB."""

    @property
    def gigabytes(self) -> float:
        return self.size.value / GIGABYTE

    @property
    def seconds(self) -> float:
        return self.gigabytes * self.seconds_rate.value

    @property
    def figures(self) -> dict[str, Figure]:
        """What its money, carbon and seconds were made of, by name."""
        return {
            "carbon": self.carbon_rate,
            "price": self.price,
            "size": self.size,
            "time": self.seconds_rate,
        }

    @property
    def formula(self) -> str:
        return f"{self.gigabytes:.6g} GB × {self.price.value:g} {self.price.unit}"

    def as_json(self) -> dict[str, Any]:
        return {
            "bytes": self.size.as_json(),
            "carbon": self.carbon,
            "figures": {name: figure.as_json() for name, figure in self.figures.items()},
            "formula": self.formula,
            "from": self.origin,
            "labels": dict(self.labels),
            "money": self.money,
            "output": self.output,
            "price": self.price.as_json(),
            "seconds": self.seconds,
            "to": self.destination,
        }


@dataclass(frozen=True)
class PlacedCopies:
    """What a site keeps unasked."""

    site: str
    outputs: tuple[str, ...]
    """`load.0`: step and number."""
    money: float
    """Of keeping it; of a registered model's package, of fetching it too. What results cross is a
    crossing."""
    figures: Mapping[str, Figure]
    formula: str
    """Empty where what keeping costs is unknown, and so not counted."""
    carbon: float = 0.0
    """kgCO2e, of fetching."""
    when: str = "when it is made"

    def as_json(self) -> dict[str, Any]:
        return {
            "carbon": self.carbon,
            "figures": {name: figure.as_json() for name, figure in self.figures.items()},
            "formula": self.formula,
            "money": self.money,
            "outputs": list(self.outputs),
            "site": self.site,
            "when": self.when,
        }


@dataclass(frozen=True)
class Placed:
    currency: str
    minimises: str
    """`money`, `carbon`, or both with the price of carbon."""
    steps: tuple[PlacedStep, ...]
    crossings: tuple[PlacedCrossing, ...]
    cost: Cost
    kept: tuple[PlacedCopies, ...]
    """What sites keep unasked."""
    solution: Solution
    missing: tuple[str, ...] = ()
    """What is not known and so not counted."""

    @property
    def places(self) -> dict[str, Place]:
        return {one.step: one.place for one in self.steps}

    @property
    def copies(self) -> float:
        """Of the money: for what sites keep unasked."""
        return sum(one.money for one in self.kept)

    @property
    def crossing_money(self) -> float:
        return sum(one.money for one in self.crossings)

    def step(self, name: str) -> PlacedStep:
        return next(one for one in self.steps if one.step == name)

    def as_json(self) -> dict[str, Any]:
        return {
            "carbon": self.cost.carbon,
            "copies": self.copies,
            "copies_at": [one.as_json() for one in self.kept],
            "crossings": [one.as_json() for one in self.crossings],
            "currency": self.currency,
            "minimises": self.minimises,
            "missing": list(self.missing),
            "money": self.cost.money,
            "seconds": self.cost.seconds,
            "solution": self.solution.as_json(),
            "steps": [one.as_json() for one in self.steps],
        }
