"""What an hour of a machine of one's own costs, and emits.

What it was bought for and its upkeep are spread over the hours in which it is used: a machine that
stands idle half of the time costs twice as much an hour. Power is counted for the hours of use.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from freehold.domain.errors import Fault, ProjectInvalid
from freehold.domain.offer import Figure

HOURS = 8760.0
"""In a year of 365 days."""


@dataclass(frozen=True)
class OwnedMachine:
    purchase: float
    """Money for one machine, its share of racks and network included."""
    life: float
    """Years until it is written off."""
    power: float
    """Watts that it draws while it is used."""
    energy: float
    """Money for a kWh."""
    utilisation: float
    """Share of all hours in which it is used, above 0, at most 1."""
    overhead: float = 1.0
    """Power usage effectiveness of the building, at least 1."""
    upkeep: float = 0.0
    """Money a year: space, people, repairs."""
    embodied: float = 0.0
    """kgCO2e that it took to make it."""


_OPTIONAL = ("upkeep", "embodied")
_MOST = {"utilisation": 1.0}
_LEAST = {"overhead": 1.0}


def faults(machine: OwnedMachine, where: Callable[[str], str] = str) -> list[Fault]:
    """All that is wrong, each with the place of its field."""
    return [
        Fault(code, what, where(name), hint)
        for name in (field.name for field in fields(machine))
        for code, what, hint in _wrong(name, getattr(machine, name))
    ]


def _wrong(name: str, value: float) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        yield "owned.not-a-number", f"{name}: {value!r} is not a number", "write a plain number"
    elif value < 0 or (value == 0 and name not in _OPTIONAL):
        hint = "a machine that costs nothing, or is never used, has no price an hour"
        yield "owned.not-positive", f"{name} is {value:g}, not above zero", hint
    elif value > _MOST.get(name, math.inf):
        yield "owned.too-large", f"{name} is {value:g}, above {_MOST[name]:g}", "0.6 is 60 per cent"
    elif value < _LEAST.get(name, 0.0):
        hint = "1.5 is a building that takes half as much again as its machines"
        yield "owned.too-small", f"{name} is {value:g}, below {_LEAST[name]:g}", hint


def hourly_price(machine: OwnedMachine, currency: str = "USD") -> Figure:
    """Money for an hour of use. Raises ProjectInvalid with all faults."""
    _check(machine)
    hours = HOURS * machine.utilisation
    capital = machine.purchase / machine.life / hours
    upkeep = machine.upkeep / hours
    energy = machine.power / 1000 * machine.overhead * machine.energy
    used = f"({HOURS:g} h × {machine.utilisation:g} used)"
    parts = [f"{machine.purchase:g} {currency} / {machine.life:g} years / {used}"]
    if machine.upkeep:
        parts.append(f"{machine.upkeep:g} {currency} a year / {used}")
    parts.append(
        f"{machine.power:g} W / 1000 × {machine.overhead:g} × {machine.energy:g} {currency}/kWh"
    )
    value = _finite(capital + upkeep + energy)
    return Figure(value, f"{currency}/h", f"owned: {' + '.join(parts)} = {value:.6g}")


def hourly_carbon(machine: OwnedMachine, grid: Figure) -> Figure:
    """kgCO2e for an hour of use on a grid of so many g/kWh. Raises ProjectInvalid."""
    _check(machine)
    running = machine.power / 1000 * machine.overhead * grid.value / 1000
    made = machine.embodied / machine.life / (HOURS * machine.utilisation)
    words = f"{machine.power:g} W / 1000 × {machine.overhead:g} × {grid.value:g} g/kWh / 1000"
    if machine.embodied:
        words += (
            f" + {machine.embodied:g} kg to make it / {machine.life:g} years"
            f" / ({HOURS:g} h × {machine.utilisation:g} used)"
        )
    value = _finite(running + made)
    source = f"owned: {words} = {value:.6g}; grid {grid.source}"
    return Figure(value, "kgCO2e/h", source, grid.date)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ProjectInvalid(
            "a machine of one's own has a price beyond all numbers",
            why="its life or its use is next to nothing, or its price enormous",
            hint="check the units: years, watts, a share of hours",
            code="owned.beyond-numbers",
        )
    return value


def _check(machine: OwnedMachine) -> None:
    wrong = faults(machine)
    if wrong:
        raise ProjectInvalid(
            "a machine of one's own has no price",
            why="; ".join(one.what for one in wrong),
            hint="state what it cost, its life, power, price of energy and use",
            code="owned.invalid",
            faults=wrong,
        )
