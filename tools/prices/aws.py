"""AWS: Linux on demand by instance type and region; sizes from libcloud's constants."""

import re
from typing import Any

from tools.prices.mending import mended
from tools.prices.rows import Price, Size

ACCELERATORS = {
    "g2": "k520",
    "g3": "m60",
    "g3s": "m60",
    "g4ad": "v520",
    "g4dn": "t4",
    "g5": "a10g",
    "g5g": "t4g",
    "g6": "l4",
    "gr6": "l4",
    "g6e": "l40s",
    "p2": "k80",
    "p3": "v100",
    "p3dn": "v100-32gb",
    "p4d": "a100-40gb",
    "p4de": "a100-80gb",
    "p5": "h100",
    "p5e": "h200",
    "p5en": "h200",
}
"""Family → kind. The constants have their number and memory only."""
PROCESSORS = (
    ("Graviton2", "graviton2"),
    (r"Graviton Processor", "graviton"),
    ("7571", "epyc-1"),
    ("7R32", "epyc-2"),
    ("7R13", "epyc-3"),
    ("Broadwell", "broadwell"),
    ("Haswell", "haswell"),
    (r"\(Ivy Bridge\)", "ivy-bridge"),
    (r"E5-2670( \(Sandy Bridge\))?$|E5-2650", "sandy-bridge"),
    (r"8175|8124M|8151|Skylake", "skylake"),
    (r"Cascade Lake|8259|8252|8275", "cascade-lake"),
)
"""What the constants call the processor → a row of `processors.csv`, which has no newer ones."""


def sizes(constants: dict[str, dict[str, Any]]) -> list[Size]:
    found = []
    for name, one in constants.items():
        extra = one["extra"]
        accelerators = int(extra.get("gpu", 0))
        family = name.partition(".")[0]
        if extra["vcpu"] == "NA" or (accelerators and family not in ACCELERATORS):
            continue
        kind = ACCELERATORS[family] if accelerators else ""
        memory = one["ram"] / 1024
        called = _processor(extra["physicalProcessor"])
        found.append(Size("aws", name, float(extra["vcpu"]), memory, accelerators, kind, called))
    return found


def _processor(called: str) -> str:
    return next((name for pattern, name in PROCESSORS if re.search(pattern, called)), "")


def prices(table: dict[str, dict[str, float]], known: set[str]) -> list[Price]:
    """Of the types whose size is known. A bare family (`c5`) is the price of a dedicated host."""
    listed = {
        (name, region): price
        for name, regions in table.items()
        if name in known
        for region, price in regions.items()
    }
    better = mended({key: price for key, price in listed.items() if price > 0})
    return [
        Price(
            "aws",
            region,
            name,
            on_demand=better.get((name, region), price) or None,
            listed=price if (name, region) in better else None,
        )
        for (name, region), price in listed.items()
    ]
