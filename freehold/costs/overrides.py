"""A project's own figures in front of a price source."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from typing import Any

from freehold.costs import own_prices
from freehold.costs.fields import Path, Where
from freehold.costs.own_prices import OwnMachine, OwnPrices, Place
from freehold.costs.rates import Stated
from freehold.domain.canonical import canonical, digest_of
from freehold.domain.errors import Fault, NotFound, ProjectInvalid
from freehold.domain.offer import Figure
from freehold.ports.price_source import MachineType, PriceSource


def places_in(file: str) -> Where:
    """`prices.yaml: machines.0`."""

    def where(path: Path) -> str:
        return ": ".join((file, ".".join(path))) if path else file

    return where


_USUAL = places_in("prices.yaml")


def overridden(
    base: PriceSource, document: Mapping[str, Any], where: Where = _USUAL
) -> "Overridden":
    """`base` behind what `prices.yaml` says (see `own_prices`). Raises ProjectInvalid with all
    faults; a type that `base` does not know must say its cpus and memory."""
    faults: list[Fault] = []
    own = own_prices.read(document, where, faults)
    for (provider, region, name), machine in own.machines.items():
        known = _of_base(base, provider, region, name)
        if machine.hardware is None and isinstance(known, NotFound):
            what = f"{known.what}, and the row does not say its size"
            hint = f"{known.why}; or add cpus and memory (GiB)"
            faults.append(Fault("prices.no-size", what, machine.place, hint))
    if faults:
        raise ProjectInvalid(
            "the project's own prices cannot be used",
            why=faults[0].what if len(faults) == 1 else f"{len(faults)} things in it are wrong",
            hint="mend them; leave out what is unknown",
            code="prices.invalid",
            faults=faults,
        )
    return Overridden(base, own, digest_of(_content(document)))


class Overridden(PriceSource):
    """Places that only the project names are known too; what it does not say of them is unknown."""

    def __init__(self, base: PriceSource, own: OwnPrices, content: str) -> None:
        """`content` is the digest of what the file says."""
        self._base, self._own, self._content = base, own, content
        machines = {(provider, region) for provider, region, _ in own.machines}
        self._places = machines | set(own.grid) | set(own.storage)
        self._providers = {provider for provider, _ in self._places} | set(own.overhead)

    @property
    def rates(self) -> tuple[Stated, ...]:
        """What the file says that other currencies are worth."""
        return self._own.rates

    def digest(self) -> str:
        return digest_of({"base": self._base.digest(), "own": self._content})

    def machine(self, provider: str, region: str, name: str) -> MachineType:
        own = self._own.machines.get((provider, region, name))
        known = _of_base(self._base, provider, region, name)
        if isinstance(known, NotFound):
            if own is None or own.hardware is None:
                raise self._unknown(known, provider, region, name)
            known = MachineType(name, own.hardware, None, None, None)
        merged = _merged(known, own) if own is not None else known
        discount = self._own.discounts.get(provider)
        if discount is None or (own is not None and own.spot is not None):
            return merged
        return replace(merged, spot=_discounted(merged.on_demand, discount))

    def grid_carbon(self, provider: str, region: str) -> Figure | None:
        own = self._own.grid.get((provider, region))
        return self._first(
            own, (provider, region), lambda: self._base.grid_carbon(provider, region)
        )

    def overhead(self, provider: str) -> Figure:
        own = self._own.overhead.get(provider)
        try:
            known = self._base.overhead(provider)
        except NotFound:
            if provider not in self._providers:
                raise
            known = Figure(1.0, "1", f"assumed: the project says no overhead of {provider}")
            return own or known
        return _in_place_of(own, known) if own is not None else known

    def storage(self, provider: str, region: str) -> Figure | None:
        own = self._own.storage.get((provider, region))
        return self._first(own, (provider, region), lambda: self._base.storage(provider, region))

    def transfer(self, origin: Place, destination: Place) -> Figure | None:
        pairs = (
            (one, other)
            for one in (origin, (origin[0], ""))
            for other in (destination, (destination[0], ""))
        )
        for place in (origin, destination):
            if place[0] and place not in self._places:
                self._base.grid_carbon(*place)  # which refuses a place that nobody knows
        own = next((self._own.transfer[pair] for pair in pairs if pair in self._own.transfer), None)
        if own is None and origin == destination and origin in self._places:
            return Figure(0.0, "USD/GB", f"within {origin[1]}: nothing is charged")
        place = origin if origin in self._places else destination
        return self._first(own, place, lambda: self._base.transfer(origin, destination))

    def _first(
        self, own: Figure | None, place: Place, ask: Callable[[], Figure | None]
    ) -> Figure | None:
        try:
            known = ask()
        except NotFound:
            if own is None and place not in self._places:
                raise
            return own
        return _in_place_of(own, known) if own is not None else known

    def _unknown(self, known: NotFound, provider: str, region: str, name: str) -> NotFound:
        """What the base says, with the project's own names near it."""
        names = [one for *at, one in self._own.machines if at == [provider, region]]
        near = get_close_matches(name, names, n=3)
        if not names:
            return known
        return NotFound(
            f"{provider} has no machine type '{name}' in {region}",
            why=f"{known.why}; of the project's own: {', '.join(near or sorted(names)[:5])}",
            hint=known.hint,
            code="price.unknown-machine",
        )


def _of_base(base: PriceSource, provider: str, region: str, name: str) -> MachineType | NotFound:
    try:
        return base.machine(provider, region, name)
    except NotFound as missing:
        return missing


def _merged(known: MachineType, own: OwnMachine) -> MachineType:
    """The project's figures before those that are known. A spot price that is not below a new
    price is no longer believed."""
    price = _in_place_of(own.price, known.on_demand) if own.price else known.on_demand
    spot = _in_place_of(own.spot, known.spot) if own.spot else known.spot
    if spot is not None and own.spot is None and price is not None and spot.value >= price.value:
        spot = None
    return MachineType(
        known.name,
        own.hardware or known.hardware,
        price,
        spot,
        _in_place_of(own.watts, known.watts) if own.watts else known.watts,
    )


def _discounted(price: Figure | None, discount: Figure) -> Figure | None:
    if price is None:
        return None
    words = f"{discount.value:.0%} under on demand ({price.value:g} USD/h); {discount.source}"
    return Figure(price.value * (1 - discount.value), "USD/h", words, discount.date or price.date)


def _in_place_of(own: Figure, known: Figure | None) -> Figure:
    if known is None:
        return own
    return replace(own, source=f"{own.source}, in place of {known.value:g} {known.unit}")


def _content(value: Any) -> Any:
    """What a file says as JSON; the order of its rows says nothing."""
    if isinstance(value, Mapping):
        return {str(key): _content(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return sorted((_content(one) for one in value), key=canonical)
    return value.isoformat() if isinstance(value, date) else value
