"""Figures about what providers offer: machines, their prices, carbon, what crossing costs.

Laws
- Every figure says its source. A price of nothing means that it is unknown, and is not given.
- The same question has the same answer for the life of the process; nothing is asked of a network.
- Names are the provider's own. Errors: NotFound `price.unknown-provider`, `price.unknown-region`,
  `price.unknown-machine`, each with the nearest names that there are.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from freehold.domain.offer import Figure, Hardware


@dataclass(frozen=True)
class MachineType:
    """A provider's machine type in one region. Prices are per hour of one machine."""

    name: str
    hardware: Hardware
    on_demand: Figure | None
    """None where it is unknown."""
    spot: Figure | None
    watts: Figure | None
    """Of one machine at half load, before the building's overhead."""


class PriceSource(ABC):
    @abstractmethod
    def digest(self) -> str:
        """Of all figures: a plan names it."""

    @abstractmethod
    def machine(self, provider: str, region: str, name: str) -> MachineType: ...

    @abstractmethod
    def grid_carbon(self, provider: str, region: str) -> Figure | None:
        """g/kWh; None where it is unknown."""

    @abstractmethod
    def overhead(self, provider: str) -> Figure:
        """Power usage effectiveness of its buildings, a ratio of at least 1."""

    @abstractmethod
    def storage(self, provider: str, region: str) -> Figure | None:
        """Money for a gigabyte and month in its object store."""

    @abstractmethod
    def transfer(self, origin: tuple[str, str], destination: tuple[str, str]) -> Figure | None:
        """Money for a gigabyte from one (provider, region) to another; the provider is empty for a
        place of one's own. None where it is unknown."""
