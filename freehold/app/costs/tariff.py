"""What things cost at the project's sites, for whoever meters: figures, or None where they are not
known, which is never the same as free.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from freehold.app.costs.offers import offers_of, price_source
from freehold.app.costs.storing import storage_price_of
from freehold.app.project.reading import OpenProject
from freehold.domain.errors import FreeholdError, NotFound
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
Accelerators = Callable[[str, str], int]
"""Site, machine type → how many it has; 0 where that is not known."""
TransferPrice = Callable[[str, str], Figure | None]
"""From the store of one site to another site, or from a site to the store of another: money for a
gigabyte."""


def _unknown(*_: object) -> Figure | None:
    return None


def _none(*_: object) -> int:
    return 0


def _no_machine(_: str) -> str:
    return ""


@dataclass(frozen=True)
class Tariff:
    currency: str = "USD"
    sites: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Site → its provider and region; OWN and empty where they are not said."""
    price_of: MachinePrice = _unknown
    carbon_of: MachineCarbon = _unknown
    storage_of: StoragePrice = _unknown
    transfer_of: TransferPrice = _unknown
    accelerators_of: Accelerators = _none
    sole_machine_of: Callable[[str], str] = _no_machine
    """Site → its machine type, where it has but one; else empty."""
    machine: str = ""
    """Machine type that this process runs on; empty if it is not known."""
    stated: str = ""
    """The same, only if the environment says it: then it goes before what a plan says."""

    def provider(self, site: str) -> tuple[str, str]:
        return self.sites.get(site, (OWN, ""))


def tariff_of(project: OpenProject) -> Tariff:
    """By the project file and the tables behind it. What neither says, or what is wrong with them,
    is unknown: `freehold check` tells it, and metering goes on."""
    try:
        return _Known(project).tariff()
    except FreeholdError:
        return Tariff(currency=project.spec.currency)


class _Known:
    def __init__(self, project: OpenProject) -> None:
        """Raises ProjectInvalid, AdapterMissing."""
        self._project, self._spec = project, project.spec
        self._source = price_source(project)

    def tariff(self) -> Tariff:
        offers = {
            (one.site, one.machine, one.spot): one
            for name, site in self._spec.sites.items()
            for one in offers_of(self._project, name, site, self._source)[0]
        }

        def price_of(site: str, machine: str, spot: bool) -> Figure | None:
            found = offers.get((site, machine, spot))
            return None if found is None else found.price

        def carbon_of(site: str, machine: str) -> Figure | None:
            found = offers.get((site, machine, False))
            return None if found is None else found.carbon

        def accelerators_of(site: str, machine: str) -> int:
            found = offers.get((site, machine, False))
            return 0 if found is None else found.hardware.accelerators

        return Tariff(
            currency=self._spec.currency,
            sites={n: (one.provider or OWN, one.region) for n, one in self._spec.sites.items()},
            price_of=price_of,
            carbon_of=carbon_of,
            storage_of=self._storage,
            transfer_of=self._transfer,
            accelerators_of=accelerators_of,
            sole_machine_of=lambda site: sole_machine(self._spec.sites.get(site)),
            machine=machine_here(self._spec.sites.get(self._spec.site)),
            stated=os.environ.get(MACHINE_VARIABLE, ""),
        )

    def _storage(self, site: str) -> Figure | None:
        if site not in self._spec.sites:
            return None
        return self._asked(lambda: storage_price_of(self._project, site, self._source))

    def _transfer(self, origin: str, destination: str) -> Figure | None:
        ends = self._place(origin), self._place(destination)
        return self._asked(lambda: self._source.transfer(*ends))

    def _place(self, site: str) -> tuple[str, str]:
        found = self._spec.sites.get(site)
        return (found.provider, found.region) if found else ("", "")

    def _asked(self, question: Callable[[], Figure | None]) -> Figure | None:
        """A figure in another currency than the project's is none: nothing here knows rates."""
        try:
            found = question()
        except NotFound:
            return None
        if found is None or not found.unit.startswith(f"{self._spec.currency}/"):
            return None
        return found


def machine_here(site: SiteSpec | None) -> str:
    """The machine type that this process runs on: what the environment says, or the site's only
    type; empty where neither tells it."""
    return os.environ.get(MACHINE_VARIABLE, "") or sole_machine(site)


def sole_machine(site: SiteSpec | None) -> str:
    types = list(site.machines) if site is not None else []
    return types[0] if len(types) == 1 else ""
