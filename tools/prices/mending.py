"""Finds entries that are the price of a dedicated machine, and what the shared one costs.

libcloud takes whichever on-demand entry of AWS's list comes last for a type and region. In about
one of seven that is the dedicated tenancy, which costs 5 to 11 % more. AWS prices a family's sizes
in the same proportions in every region, so a family is a table of types × regions that is a product
of one factor for the type and one for the region; medians find the factors, and an entry that lies
above its product by that much is a dedicated one.
"""

import math
import statistics
from collections import defaultdict

DEDICATED = (0.04, 0.125)
"""Natural logarithm of what a dedicated machine costs over the shared one: from, to."""
ENOUGH = 3
"""Prices in a row and a column below which nothing is known of its factor."""
SETTLED = 0.004
"""What rounding in the list leaves between an entry and the product of its factors."""
TENTH = math.log(1.1)
NEAR = 0.025
Key = tuple[str, str]


def mended(prices: dict[Key, float]) -> dict[Key, float]:
    """(type, region) → the better price, of those entries only that are dedicated ones."""
    families: dict[str, dict[Key, float]] = defaultdict(dict)
    for (name, region), price in prices.items():
        families[name.partition(".")[0]][name, region] = math.log(price)
    return {
        key: round(math.exp(better), 5)
        for family in families.values()
        for key, better in _of_family(family).items()
    }


def _of_family(entries: dict[Key, float]) -> dict[Key, float]:
    types, regions = _factors(entries)
    rest = {
        key: value - types[key[0]] - regions[key[1]]
        for key, value in entries.items()
        if key[0] in types and key[1] in regions
    }
    sound = {key for key, left in rest.items() if abs(left) <= SETTLED}
    return {
        key: _shared(entries[key], left)
        for key, left in rest.items()
        if DEDICATED[0] <= left <= DEDICATED[1]
        and sum(one[0] == key[0] for one in sound) >= ENOUGH
        and sum(one[1] == key[1] for one in sound) >= ENOUGH - 1
    }


def _shared(listed: float, left: float) -> float:
    """A tenth less where that is about what the family says: newer families cost exactly that."""
    return listed - (TENTH if abs(left - TENTH) <= NEAR else left)


def _factors(entries: dict[Key, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Logarithms of the factors of types and regions, by turns until they rest."""
    by_type: dict[str, list[Key]] = defaultdict(list)
    by_region: dict[str, list[Key]] = defaultdict(list)
    for key in entries:
        by_type[key[0]].append(key)
        by_region[key[1]].append(key)
    types = {name: _low(entries[key] for key in keys) for name, keys in by_type.items()}
    regions = dict.fromkeys(by_region, 0.0)
    for _ in range(60):
        regions = {
            region: _low(entries[key] - types[key[0]] for key in keys)
            for region, keys in by_region.items()
        }
        types = {
            name: _low(entries[key] - regions[key[1]] for key in keys)
            for name, keys in by_type.items()
        }
    return types, regions


def _low(values: object) -> float:
    """The lower median: dedicated entries only ever lie above."""
    return statistics.median_low(list(values))  # type: ignore[call-overload, no-any-return]
