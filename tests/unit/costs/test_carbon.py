"""Carbon of an hour of a machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.costs.carbon import hourly_carbon
from freehold.domain.offer import Figure

OVERHEAD = Figure(1.2, "1", "the building's meter", "2025")


def watts(value: float) -> Figure:
    return Figure(value, "W", "at half load: 4 × 50 W", "2022")


def grid(value: float) -> Figure:
    return Figure(value, "g/kWh", "the operator", "2024")


def test_it_shows_its_formula_and_where_each_number_comes_from() -> None:
    carbon = hourly_carbon(watts(200), OVERHEAD, grid(400))
    assert carbon == Figure(
        pytest.approx(0.096),  # type: ignore[arg-type]
        "kgCO2e/h",
        "200 W × 1.2 × 400 g/kWh; power at half load: 4 × 50 W; overhead the building's meter; "
        "grid the operator",
        "2024",
    )


def test_what_is_unknown_stays_unknown() -> None:
    assert hourly_carbon(None, OVERHEAD, grid(400)) is None
    assert hourly_carbon(watts(200), OVERHEAD, None) is None


@given(st.floats(0.1, 1e5), st.floats(0.1, 2000), st.floats(1.01, 5))
def test_it_grows_in_proportion_to_power_and_grid(power: float, grams: float, by: float) -> None:
    carbon = hourly_carbon(watts(power), OVERHEAD, grid(grams))
    more = hourly_carbon(watts(power * by), OVERHEAD, grid(grams))
    worse = hourly_carbon(watts(power), OVERHEAD, grid(grams * by))
    assert carbon is not None
    assert more is not None
    assert worse is not None
    assert carbon.value > 0
    assert more.value == pytest.approx(carbon.value * by)
    assert worse.value == pytest.approx(carbon.value * by)
