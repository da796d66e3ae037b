"""Google Cloud: per core and GiB, on demand and preemptible, put together to machine types.

The price file has no machine types, and libcloud no list of them. Their names say their cores, and
their series how much memory goes with a core (Compute Engine's documentation of machine families);
the types that exist are listed here. Shared-core, custom and memory-optimised (`m1`) types are left
out: their names do not say what they are.
"""

from typing import Any

from tools.prices.rows import Price, Size

SERIES: dict[str, tuple[str, float, tuple[int, ...]]] = {
    "n1-standard": ("n1", 3.75, (1, 2, 4, 8, 16, 32, 64, 96)),
    "n1-highmem": ("n1", 6.5, (2, 4, 8, 16, 32, 64, 96)),
    "n1-highcpu": ("n1", 0.9, (2, 4, 8, 16, 32, 64, 96)),
    "n2-standard": ("n2", 4, (2, 4, 8, 16, 32, 48, 64, 80, 96, 128)),
    "n2-highmem": ("n2", 8, (2, 4, 8, 16, 32, 48, 64, 80, 96)),
    "n2-highcpu": ("n2", 1, (2, 4, 8, 16, 32, 48, 64, 80, 96)),
    "n2d-standard": ("n2d", 4, (2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224)),
    "n2d-highmem": ("n2d", 8, (2, 4, 8, 16, 32, 48, 64, 80, 96)),
    "n2d-highcpu": ("n2d", 1, (2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224)),
    "e2-standard": ("e2", 4, (2, 4, 8, 16, 32)),
    "e2-highmem": ("e2", 8, (2, 4, 8, 16)),
    "e2-highcpu": ("e2", 1, (2, 4, 8, 16, 32)),
    "c2-standard": ("c2", 4, (4, 8, 16, 30, 60)),
}
"""Series → family in the price file, GiB to a core, cores of its types."""
PROCESSORS = {"c2": "cascade-lake", "n2": "cascade-lake", "n2d": "epyc-2"}
"""Families of one kind of processor, or nearly; the others are the provider's average."""


def sizes() -> list[Size]:
    return [
        Size(
            "gcp", f"{series}-{cores}", cores, cores * memory, processor=PROCESSORS.get(family, "")
        )
        for series, (family, memory, counts) in SERIES.items()
        for cores in counts
    ]


def prices(table: dict[str, Any]) -> list[Price]:
    found = []
    for series, (family, memory, counts) in SERIES.items():
        core, ram = table[family]["cpu"], table[family]["ram"]
        for region in core["on_demand"]:
            for cores in counts:
                on_demand, spot = (
                    _together(core[kind], ram[kind], region, cores, memory)
                    for kind in ("on_demand", "preemptible")
                )
                found.append(Price("gcp", region, f"{series}-{cores}", on_demand, spot))
    return found


def _together(
    core: dict[str, Any], ram: dict[str, Any], region: str, cores: int, memory: float
) -> float | None:
    a, b = (one.get(region, {}).get("price", 0) for one in (core, ram))
    return round(cores * (a + memory * b), 6) if a and b else None
