"""Azure: Linux by size and region; `lowpriority` sizes are the spot prices of the size they name.

The price file writes `standardd4sv3` for Standard_D4s_v3. libcloud knows cores and memory of the
oldest series only; of the others, Azure's documentation of sizes gives memory per core by series,
with the exceptions that stand here. What fits neither is left out.
"""

import re
from typing import Any

from tools.prices.rows import Price, Size

RULES: tuple[tuple[str, float, str], ...] = (
    (r"d(\d+)as?v4", 4, "epyc-2"),
    (r"d(\d+)d?s?v4", 4, "cascade-lake"),
    (r"d(\d+)s?v3", 4, ""),
    (r"e(\d+)as?v4", 8, "epyc-2"),
    (r"e(\d+)d?s?v4", 8, "cascade-lake"),
    (r"e(\d+)s?v3", 8, ""),
    (r"f(\d+)s?(?:v2)?", 2, ""),
    (r"l(\d+)sv2", 8, "epyc-1"),
)
"""Series → GiB to a core, processor; the number in the name is that of its cores."""
EXCEPTIONS = {"e64v3": 432.0, "e64sv3": 432.0, "e96asv4": 672.0, "e96av4": 672.0} | {
    f"e64{kind}v4": 504.0 for kind in ("", "s", "d", "ds")
}
"""GiB where the series' rule does not hold."""
LISTED: dict[str, tuple[float, float, int, str]] = {
    "b1ls": (1, 0.5, 0, ""),
    "b1s": (1, 1, 0, ""),
    "b1ms": (1, 2, 0, ""),
    "b2s": (2, 4, 0, ""),
    "b2ms": (2, 8, 0, ""),
    "b4ms": (4, 16, 0, ""),
    "b8ms": (8, 32, 0, ""),
    "b12ms": (12, 48, 0, ""),
    "b16ms": (16, 64, 0, ""),
    "b20ms": (20, 80, 0, ""),
    "nc6": (6, 56, 1, "k80"),
    "nc12": (12, 112, 2, "k80"),
    "nc24": (24, 224, 4, "k80"),
    "nc6sv2": (6, 112, 1, "p100"),
    "nc12sv2": (12, 224, 2, "p100"),
    "nc24sv2": (24, 448, 4, "p100"),
    "nc6sv3": (6, 112, 1, "v100"),
    "nc12sv3": (12, 224, 2, "v100"),
    "nc24sv3": (24, 448, 4, "v100"),
    "nc24rsv3": (24, 448, 4, "v100"),
    "nc4ast4v3": (4, 28, 1, "t4"),
    "nc8ast4v3": (8, 56, 1, "t4"),
    "nc16ast4v3": (16, 110, 1, "t4"),
    "nc64ast4v3": (64, 440, 4, "t4"),
    "nd40rsv2": (40, 672, 8, "v100-32gb"),
}
"""Cores, GiB, accelerators and their kind."""
VERSION_2 = {
    1: (1, 3.5),
    2: (2, 7),
    3: (4, 14),
    4: (8, 28),
    5: (16, 56),
    11: (2, 14),
    12: (4, 28),
    13: (8, 56),
    14: (16, 112),
    15: (20, 140),
}
"""D and DS of version 2: the number in the name is an ordinal."""


def sizes(keys: list[str], constants: dict[str, dict[str, Any]]) -> dict[str, Size]:
    """By what the price file calls them, `d4sv3`."""
    found = {key: _size(key, constants) for key in keys}
    return {key: size for key, size in found.items() if size is not None}


def _size(key: str, constants: dict[str, dict[str, Any]]) -> Size | None:
    name = _name(key)
    if key in LISTED:
        cpus, memory, accelerators, kind = LISTED[key]
        return Size("azure", name, cpus, memory, accelerators, kind)
    if second := re.fullmatch(r"ds?(\d+)v2", key):
        cpus, memory = VERSION_2[int(second.group(1))]
        return Size("azure", name, cpus, memory)
    for pattern, ratio, processor in RULES:
        if match := re.fullmatch(pattern, key):
            cpus = float(match.group(1))
            memory = EXCEPTIONS.get(key, cpus * ratio)
            return Size("azure", name, cpus, memory, processor=processor)
    old = constants.get(key.upper(), {})
    if isinstance(old.get("cores"), int):
        return Size("azure", name, float(old["cores"]), old["ram"] / 1024)
    return None


def _name(key: str) -> str:
    """`nc4ast4v3` → `Standard_NC4as_T4_v3`."""
    match = re.fullmatch(r"([a-z]+?)(\d+)([a-z]*?)(t4)?(v\d)?", key)
    if match is None:
        return f"Standard_{key}"
    series, number, features, card, version = match.groups()
    return "_".join(
        part
        for part in (
            "Standard",
            f"{series.upper()}{number}{features}",
            (card or "").upper(),
            version or "",
        )
        if part
    )


def prices(table: dict[str, dict[str, float]], known: dict[str, Size]) -> list[Price]:
    return [
        Price(
            "azure",
            region,
            size.machine,
            price or None,
            table.get(f"lowpriority{key}", {}).get(region) or None,
        )
        for key, size in known.items()
        for region, price in table[f"standard{key}"].items()
    ]
