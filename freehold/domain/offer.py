"""What a site offers to run steps on, each figure with where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A number that can be traced."""

    value: float
    unit: str
    """`USD/h`, `g/kWh`, `USD/GB`, `W`, `1/h`."""
    source: str
    """Where it comes from, in words for people: a table and its row, a line of the project file, a
    formula with its figures."""
    date: str = ""
    """ISO date of the source; empty if it has none."""

    def as_json(self) -> dict[str, Any]:
        return {"date": self.date, "source": self.source, "unit": self.unit, "value": self.value}


@dataclass(frozen=True)
class Hardware:
    cpus: float
    """Virtual processors."""
    memory: int
    """Bytes."""
    accelerators: int = 0
    accelerator: str = ""
    """Kind, small letters: `a100-80gb`, `t4`; empty if there is none."""


@dataclass(frozen=True)
class Offer:
    """A machine type at a site, on demand or spot."""

    site: str
    machine: str
    """Its provider's name for it, or the project's own."""
    hardware: Hardware
    price: Figure
    """Money per hour of one machine. Positive: an unknown price is no offer."""
    spot: bool = False
    interruptions: Figure | None = None
    """Expected per hour; spot only."""
    carbon: Figure | None = None
    """kgCO2e per hour of one machine, overhead of the building included; None if unknown."""
    boot: float = 0.0
    """Seconds from asking for it to its first step, paid for."""
    boot_source: str = "assumed: none is stated"
    pools: Mapping[str, float] = field(default_factory=dict)
    """Quota that one machine takes while it runs, by the pool's name: `aws cpus` → 8."""

    @property
    def name(self) -> str:
        return f"{self.machine} spot" if self.spot else self.machine
