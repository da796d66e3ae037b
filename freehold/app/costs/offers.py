"""A site's machine types as offers: from the project file, the price source, or derived."""

from dataclasses import dataclass, replace

import yaml

from freehold.app import adapters
from freehold.app.costs.grid import grid_of
from freehold.app.project.reading import OpenProject
from freehold.costs.carbon import hourly_carbon
from freehold.costs.converted import in_currency
from freehold.costs.overrides import overridden, places_in
from freehold.costs.owned import OwnedMachine, hourly_price
from freehold.costs.owned import faults as owned_faults
from freehold.domain.errors import Fault, FreeholdError, ProjectInvalid
from freehold.domain.offer import Figure, Hardware, Offer
from freehold.domain.project import MachineSpec, OwnedSpec, SiteSpec
from freehold.domain.size import bytes_of
from freehold.ports.price_source import MachineType, PriceSource


def price_source(project: OpenProject) -> PriceSource:
    """The tables, behind what the project says itself. Raises ProjectInvalid."""
    source: PriceSource = adapters.embedded("price_source")()
    named = project.spec.prices
    if not named:
        return source
    try:
        document = yaml.safe_load((project.root / named).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        where = project.where("prices")
        raise ProjectInvalid(
            f"{named} cannot be read",
            faults=[Fault("prices.unreadable", f"{named} is no YAML: {exc}", where)],
            hint="`prices:` in freehold.yaml names a YAML file of the project's own figures",
            code="prices.invalid",
        ) from exc
    rows = document if isinstance(document, dict) else {"": document}
    own = overridden(source, rows, places_in(named))
    return in_currency(own, project.spec.currency)


OWNED = {
    "energy": "kwh_price",
    "life": "years",
    "overhead": "pue",
    "power": "watts",
}
"""Field of an owned machine → its key in the project file."""


@dataclass(frozen=True)
class _Asked:
    """A machine type of a site, and where it stands in the project file."""

    project: OpenProject
    site: str
    spec: SiteSpec
    name: str
    machine: MachineSpec
    source: PriceSource

    def fault(self, code: str, what: str, hint: str, *key: str) -> Fault:
        where = self.project.where("sites", self.site, "machines", self.name, *key)
        return Fault(code, f"{self.site} {self.name}: {what}", where, hint)


def offers_of(
    project: OpenProject, site: str, spec: SiteSpec, source: PriceSource
) -> tuple[list[Offer], list[Fault]]:
    """On demand, and spot where the project allows it and its price is known."""
    offers: list[Offer] = []
    faults: list[Fault] = []
    for name, machine in spec.machines.items():
        asked = _Asked(project, site, spec, name, machine, source)
        try:
            found = _offers(asked)
        except FreeholdError as error:
            told = f"{error.what} ({error.why})" if error.why else error.what
            faults += [asked.fault(error.code, told, error.hint)]
            continue
        for one in found:
            if isinstance(one, Fault):
                faults.append(one)
            else:
                offers.append(one)
    return offers, faults


def _offers(asked: _Asked) -> list[Offer | Fault]:
    machine, spec = asked.machine, asked.spec
    if machine.owned is not None:

        def place(name: str) -> str:
            path = ("sites", asked.site, "machines", asked.name, "owned", OWNED.get(name, name))
            return asked.project.where(*path)

        if wrong := owned_faults(_owned(machine.owned), place):
            return [*wrong]
    known = asked.source.machine(spec.provider, spec.region, asked.name) if _listed(asked) else None
    hardware = _hardware(machine, known)
    price = _price(asked, known)
    if price is None:
        hint = "say `price:` in freehold.yaml, or in the file that `prices:` names"
        return [asked.fault("price.unknown", "its price is not known", hint)]
    pools = {f"{asked.site} cpus": hardware.cpus}
    if hardware.accelerators:
        pools[f"{asked.site} accelerators"] = float(hardware.accelerators)
    if machine.count:
        pools[f"{asked.site}/{asked.name}"] = 1.0
    plain = Offer(
        site=asked.site,
        machine=asked.name,
        hardware=hardware,
        price=price,
        carbon=_carbon(asked, known),
        boot=machine.boot_seconds,
        boot_source=_said(asked, "boot_seconds"),
        pools=pools,
    )
    found: list[Offer | Fault] = [plain]
    if machine.spot:
        found.append(_spot(asked, known, plain))
    return [_in_currency(one, asked) for one in found]


def _listed(asked: _Asked) -> bool:
    """Whether the price source is asked: of a provider's type, unless all is said here."""
    machine = asked.machine
    said = machine.cpus and machine.memory and (machine.price is not None or machine.owned)
    return bool(asked.spec.provider) and not said


def _hardware(machine: MachineSpec, known: MachineType | None) -> Hardware:
    if known is None:
        kind = machine.accelerator
        return Hardware(machine.cpus, bytes_of(machine.memory), machine.accelerators, kind)
    listed = known.hardware
    return Hardware(
        machine.cpus or listed.cpus,
        bytes_of(machine.memory) if machine.memory else listed.memory,
        machine.accelerators or listed.accelerators,
        machine.accelerator or listed.accelerator,
    )


def _price(asked: _Asked, known: MachineType | None) -> Figure | None:
    machine, currency = asked.machine, asked.project.spec.currency
    if machine.owned is not None:
        figure = hourly_price(_owned(machine.owned), currency)
        return replace(figure, source=f"{figure.source}{_assumed_of_owned(asked)}")
    if machine.price is not None:
        return Figure(machine.price, f"{currency}/h", _said(asked, "price"))
    return None if known is None else known.on_demand


def _spot(asked: _Asked, known: MachineType | None, plain: Offer) -> Offer | Fault:
    machine, currency = asked.machine, asked.project.spec.currency
    price = None if known is None else known.spot
    if machine.spot_price is not None:
        price = Figure(machine.spot_price, f"{currency}/h", _said(asked, "spot_price"))
    if price is None:
        hint = "say `spot_price:`, or take `spot:` away"
        return asked.fault("price.unknown", "its spot price is not known", hint, "spot")
    interruptions = Figure(machine.interruptions, "1/h", _said(asked, "interruptions"))
    return replace(plain, price=price, spot=True, interruptions=interruptions)


def _in_currency(one: Offer | Fault, asked: _Asked) -> Offer | Fault:
    currency = asked.project.spec.currency
    if isinstance(one, Fault) or one.price.unit == f"{currency}/h":
        return one
    what = f"its price is in {one.price.unit}, the project's money is {currency}"
    hint = f"say what one {currency} is in USD in the file that `prices:` names, or `price:` here"
    return asked.fault("price.currency", what, hint)


def _carbon(asked: _Asked, known: MachineType | None) -> Figure | None:
    machine, spec = asked.machine, asked.spec
    watts = None if known is None else known.watts
    overhead = Figure(1.0, "1", "no overhead is known of a place of one's own")
    if spec.provider:
        overhead = asked.source.overhead(spec.provider)
    if machine.watts is not None:
        watts = Figure(machine.watts, "W", _said(asked, "watts"))
    if machine.owned is not None:
        watts = Figure(machine.owned.watts, "W", _said(asked, "owned.watts"))
        overhead = Figure(machine.owned.pue, "1", _said(asked, "owned.pue"))
    return hourly_carbon(watts, overhead, grid_of(spec, asked.source))


def _owned(spec: OwnedSpec) -> OwnedMachine:
    return OwnedMachine(
        purchase=spec.purchase,
        life=spec.years,
        power=spec.watts,
        energy=spec.kwh_price,
        utilisation=spec.utilisation,
        overhead=spec.pue,
        upkeep=spec.upkeep,
    )


def _said(asked: _Asked, key: str) -> str:
    """The line that states a figure; a default is told from what somebody stated."""
    path = ("sites", asked.site, "machines", asked.name, *key.split("."))
    if asked.project.says(*path):
        return f"{asked.project.where(*path)}, `{key}`"
    return f"assumed: a default, since freehold.yaml states no `{key}` of {asked.name}"


def _assumed_of_owned(asked: _Asked) -> str:
    path = ("sites", asked.site, "machines", asked.name, "owned")
    unstated = [one for one in ("pue", "utilisation") if not asked.project.says(*path, one)]
    owned = asked.machine.owned
    told = [f"`{one}` {getattr(owned, one):g}" for one in unstated]
    return f"; assumed, since not stated: {', '.join(told)}" if told else ""
