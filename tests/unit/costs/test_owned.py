"""What an hour of a machine of one's own comes to."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.costs.owned import OwnedMachine, faults, hourly_carbon, hourly_price
from freehold.domain.errors import ProjectInvalid
from freehold.domain.offer import Figure

GRID = Figure(300, "g/kWh", "the grid operator, 2025", "2025")
RACK = OwnedMachine(
    purchase=12_000, life=4, power=700, energy=0.25, utilisation=0.5, overhead=1.4, upkeep=876
)
machines = st.builds(
    OwnedMachine,
    purchase=st.floats(1, 1e7),
    life=st.floats(0.5, 20),
    power=st.floats(1, 20_000),
    energy=st.floats(0.001, 5),
    utilisation=st.floats(0.001, 1),
    overhead=st.floats(1, 4),
    upkeep=st.floats(0, 1e6),
    embodied=st.floats(0, 1e5),
)
more = st.floats(1.01, 3)


def test_the_price_is_what_the_formula_in_its_source_says() -> None:
    price = hourly_price(RACK, "EUR")
    assert price.value == pytest.approx(12_000 / 4 / 4380 + 876 / 4380 + 0.7 * 1.4 * 0.25)
    assert price.unit == "EUR/h"
    assert price.source == (
        "owned: 12000 EUR / 4 years / (8760 h × 0.5 used) + 876 EUR a year / (8760 h × 0.5 used)"
        " + 700 W / 1000 × 1.4 × 0.25 EUR/kWh = 1.12993"
    )


def test_carbon_is_what_the_formula_in_its_source_says() -> None:
    bare = hourly_carbon(RACK, GRID)
    assert bare.value == pytest.approx(0.7 * 1.4 * 0.3)
    assert bare.unit == "kgCO2e/h"
    assert bare.source == (
        "owned: 700 W / 1000 × 1.4 × 300 g/kWh / 1000 = 0.294; grid the grid operator, 2025"
    )
    whole = hourly_carbon(replace(RACK, embodied=1752), GRID)
    assert whole.value == pytest.approx(0.7 * 1.4 * 0.3 + 1752 / 4 / 4380)
    assert "1752 kg to make it / 4 years / (8760 h × 0.5 used)" in whole.source


@given(machines, more)
def test_it_is_above_nothing_and_grows_with_what_costs_and_shrinks_with_use(
    machine: OwnedMachine, factor: float
) -> None:
    price = hourly_price(machine).value
    assert price > 0
    assert math.isfinite(price)
    for name in ("purchase", "power", "energy", "overhead"):
        dearer = replace(machine, **{name: getattr(machine, name) * factor})
        assert hourly_price(dearer).value > price
    assert hourly_price(replace(machine, upkeep=machine.upkeep + 1e4 * factor)).value > price
    assert hourly_price(replace(machine, life=machine.life * factor)).value < price
    used = min(1.0, machine.utilisation * factor)
    assert hourly_price(replace(machine, utilisation=used)).value <= price


@given(machines, more)
def test_carbon_grows_with_power_building_grid_and_what_it_took_to_make(
    machine: OwnedMachine, factor: float
) -> None:
    carbon = hourly_carbon(machine, GRID).value
    assert carbon > 0
    for name in ("power", "overhead"):
        worse = replace(machine, **{name: getattr(machine, name) * factor})
        assert hourly_carbon(worse, GRID).value > carbon
    assert hourly_carbon(machine, replace(GRID, value=300 * factor)).value > carbon
    assert hourly_carbon(replace(machine, embodied=machine.embodied + 1e4), GRID).value > carbon
    assert hourly_carbon(replace(machine, purchase=1, energy=1), GRID).value == carbon


@given(machines)
def test_an_hour_of_use_costs_what_a_year_costs_over_its_hours_of_use(
    machine: OwnedMachine,
) -> None:
    hours = 8760 * machine.utilisation
    year = (
        machine.purchase / machine.life
        + machine.upkeep
        + machine.power / 1000 * machine.overhead * machine.energy * hours
    )
    assert hourly_price(machine).value * hours == pytest.approx(year)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        *[
            (name, value, code)
            for name in ("purchase", "life", "power", "energy", "utilisation", "overhead")
            for value, code in [
                (0, "owned.not-positive"),
                (-1, "owned.not-positive"),
                (math.nan, "owned.not-a-number"),
                (math.inf, "owned.not-a-number"),
                ("3", "owned.not-a-number"),
                (True, "owned.not-a-number"),
                (None, "owned.not-a-number"),
            ]
        ],
        ("upkeep", -1, "owned.not-positive"),
        ("embodied", math.nan, "owned.not-a-number"),
        ("utilisation", 60, "owned.too-large"),
        ("overhead", 0.9, "owned.too-small"),
    ],
)
def test_what_makes_no_price_is_a_fault_with_its_place(name: str, value: Any, code: str) -> None:
    wrong = replace(RACK, **{name: value})
    [fault] = faults(wrong, lambda field: f"freehold.yaml:7 {field}")
    assert (fault.code, fault.where) == (code, f"freehold.yaml:7 {name}")
    assert fault.hint
    for ask in (lambda: hourly_price(wrong), lambda: hourly_carbon(wrong, GRID)):
        with pytest.raises(ProjectInvalid) as caught:
            ask()
        assert [one.code for one in caught.value.faults] == [code]


def test_all_faults_are_told_at_once() -> None:
    wrong = OwnedMachine(purchase=-1, life=0, power=math.nan, energy=0, utilisation=2, overhead=0.5)
    assert [fault.where for fault in faults(wrong)] == [
        "purchase",
        "life",
        "power",
        "energy",
        "utilisation",
        "overhead",
    ]
    assert faults(RACK) == []


def test_a_price_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(ProjectInvalid) as caught:
        hourly_price(replace(RACK, purchase=1e308, life=1e-9))
    assert caught.value.code == "owned.beyond-numbers"
