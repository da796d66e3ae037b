"""What the tables are made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    provider: str
    machine: str
    cpus: float
    memory: float
    """GiB."""
    accelerators: int = 0
    accelerator: str = ""
    processor: str = ""
    """A row of `processors.csv`; empty for the provider's average."""


@dataclass(frozen=True)
class Price:
    provider: str
    region: str
    machine: str
    on_demand: float | None
    """USD an hour; None where the price file has a zero or nothing."""
    spot: float | None = None
    listed: float | None = None
    """What the price file says, where that was mended."""
