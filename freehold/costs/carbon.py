"""Carbon of a machine while it runs, from its power, its building and its grid."""

from freehold.domain.offer import Figure

UNIT = "kgCO2e/h"
GRAMS_AND_WATTS = 1e6
"""Grams in a kilogram times watts in a kilowatt."""


def hourly_carbon(watts: Figure | None, overhead: Figure, grid: Figure | None) -> Figure | None:
    """kgCO2e per hour of one machine: W × overhead (a ratio of at least 1) × g/kWh. None where its
    power or its grid is unknown. What it took to make the machine is not counted."""
    if watts is None or grid is None:
        return None
    value = watts.value * overhead.value * grid.value / GRAMS_AND_WATTS
    source = (
        f"{watts.value:g} W × {overhead.value:g} × {grid.value:g} g/kWh; "
        f"power {watts.source}; overhead {overhead.source}; grid {grid.source}"
    )
    return Figure(value, UNIT, source, grid.date)
