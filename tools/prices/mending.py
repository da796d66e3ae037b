"""Finds entries that are the price of a dedicated machine, and what the shared one costs.

libcloud takes whichever on-demand entry of AWS's list comes last for a type and region. In about
one of six that is the dedicated tenancy, which costs 6 to 13 % more. AWS prices a family's sizes
in proportion (`xlarge` is twice `large`, `metal` apart), so a family's entries of one region, each
divided by its size, are the same number, but for the dedicated ones, which lie above. Families with
accelerators are not priced so, and are left as they are.
"""

import re
from collections import defaultdict
from itertools import pairwise

DEDICATED = (1.04, 1.135)
"""What a dedicated machine costs over the shared one: from, to."""
SAME = 0.006
"""What rounding in the list leaves between two entries that are the same per unit of size."""
PROPORTIONAL = 0.9
"""Share of a family's entries that must be as said above before any of them is mended."""
SMALL = {"nano": 0.25, "micro": 0.5, "small": 1.0, "medium": 2.0, "large": 4.0}
Key = tuple[str, str]


def size(name: str) -> float | None:
    """AWS's normalisation factor: `m5.large` → 4, `m5.2xlarge` → 16."""
    called = name.partition(".")[2]
    many = re.fullmatch(r"(\d*)xlarge", called)
    return 8.0 * int(many.group(1) or 1) if many else SMALL.get(called)


def mended(prices: dict[Key, float]) -> dict[Key, float]:
    """(type, region) → the better price, of those entries only that are dedicated ones."""
    families: dict[str, dict[Key, float]] = defaultdict(dict)
    for (name, region), price in prices.items():
        if (units := size(name)) is not None:
            families[name.partition(".")[0]][name, region] = price / units
    return {
        key: round(unit * (size(key[0]) or 0), 5)
        for family in families.values()
        for key, unit in _of_family(family).items()
    }


def _of_family(units: dict[Key, float]) -> dict[Key, float]:
    """Key → price of a unit of size, where that is not what the entry says."""
    shared = {region: _shared(units, region) for region in {region for _, region in units}}
    known = {key: low for key in units if (low := shared[key[1]]) is not None}
    above = {key: units[key] / low for key, low in known.items()}
    dedicated = [key for key, ratio in above.items() if DEDICATED[0] <= ratio <= DEDICATED[1]]
    same = sum(abs(ratio - 1) <= SAME for ratio in above.values())
    if same + len(dedicated) < PROPORTIONAL * len(above):
        return {}
    return {key: known[key] for key in dedicated}


def _shared(units: dict[Key, float], region: str) -> float | None:
    """The lowest unit price that another entry agrees with. None where no two agree."""
    here = sorted(unit for (_, at), unit in units.items() if at == region)
    return next((low for low, above in pairwise(here) if above / low - 1 <= SAME), None)
