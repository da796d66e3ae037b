"""Prices between sources and destinations as a sum of steps, each counted by one variable.

A price from `a` to `s` is the sum of the rises of all layers whose sources hold `a` and whose
destinations do not hold `s`. So what a flow from task t to task r costs is, for each layer, its
rise × max(0, x_t(sources) - x_r(destinations)), with x the share of a task that lies in a set of
sites: exact for whole choices, and where prices follow a hierarchy (region, provider, world) as
strong in fractions as the transport between the two. Sources that rise alike share a layer, so
that there are some ten layers for each provider and one for each site instead of one per pair.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from freehold.adapters.highs.question import Figures


@dataclass(frozen=True)
class Layer:
    rise: float
    sources: tuple[int, ...]
    destinations: tuple[int, ...]
    """Sites at which this rise is not paid."""


def layers_of(
    prices: Figures, sources: Sequence[int], destinations: Sequence[int]
) -> tuple[Layer, ...]:
    """`prices` (sites, sites). What is infinite is left out: as dear as the dearest of its
    source."""
    rises: dict[tuple[int, ...], list[tuple[float, int]]] = defaultdict(list)
    columns = np.array(destinations)
    for source in sources:
        row = prices[source, columns]
        # Twelve digits, so that what adding floats leaves makes no layers of its own.
        levels = sorted({float(f"{price:.12g}") for price in row[np.isfinite(row)]} | {0.0})
        for low, high in pairwise(levels):
            free = columns[row <= low * (1 + 1e-11)]
            rises[tuple(free.tolist())].append((high - low, source))
    return tuple(
        layer for free, risen in sorted(rises.items()) for layer in _shared(free, sorted(risen))
    )


def _shared(free: tuple[int, ...], risen: Sequence[tuple[float, int]]) -> list[Layer]:
    """`risen`: ascending. The lowest rise is shared by all, what is above it by the others."""
    found = []
    below = 0.0
    for at, (rise, _) in enumerate(risen):
        if rise - below > 1e-11 * rise:
            found.append(Layer(rise - below, tuple(sorted(s for _, s in risen[at:])), free))
            below = rise
    return found
