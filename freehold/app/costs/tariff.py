"""What things cost at the project's sites, for whoever meters: figures, or None where they are not
known, which is never the same as free.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from freehold.app.project.reading import OpenProject
from freehold.domain.offer import Figure
from freehold.domain.project import SiteSpec

MACHINE_VARIABLE = "FREEHOLD_MACHINE"
"""Environment variable with the machine type that a process runs on, where its site has several."""
HOURS_OF_A_MONTH = 730.0
OWN = "own"
"""Provider of a place of one's own, in rows of usage."""

MachinePrice = Callable[[str, str, bool], Figure | None]
"""Site, machine type, spot → money per hour."""
MachineCarbon = Callable[[str, str], Figure | None]
"""Site, machine type → kgCO2e per hour."""
StoragePrice = Callable[[str], Figure | None]
"""Site → money for a gigabyte (10⁹ bytes) and month."""
TransferPrice = Callable[[str, str], Figure | None]
"""From the store of one site to another site, or from a site to the store of another: money for a
gigabyte."""


def _unknown(*_: object) -> Figure | None:
    return None


@dataclass(frozen=True)
class Tariff:
    currency: str = "USD"
    sites: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Site → its provider and region; OWN and empty where they are not said."""
    price_of: MachinePrice = _unknown
    carbon_of: MachineCarbon = _unknown
    storage_of: StoragePrice = _unknown
    transfer_of: TransferPrice = _unknown
    machine: str = ""
    """Machine type that this process runs on; empty if it is not known."""

    def provider(self, site: str) -> tuple[str, str]:
        return self.sites.get(site, (OWN, ""))


def tariff_of(project: OpenProject) -> Tariff:
    """By the project file; what it does not say is unknown."""
    spec = project.spec

    def price_of(site: str, machine: str, spot: bool) -> Figure | None:
        found = spec.sites[site].machines.get(machine) if site in spec.sites else None
        stated = found and (found.spot_price if spot else found.price)
        if not stated:
            return None
        key = "spot_price" if spot else "price"
        where = project.where("sites", site, "machines", machine, key)
        return Figure(stated, f"{spec.currency}/h", where)

    return Tariff(
        currency=spec.currency,
        sites={name: (one.provider or OWN, one.region) for name, one in spec.sites.items()},
        price_of=price_of,
        machine=_machine_here(spec.sites.get(spec.site)),
    )


def _machine_here(site: SiteSpec | None) -> str:
    """What the environment says, or the site's only type."""
    named = os.environ.get(MACHINE_VARIABLE, "")
    types = list(site.machines) if site is not None else []
    return named or (types[0] if len(types) == 1 else "")
