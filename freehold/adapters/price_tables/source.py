"""The price source that comes with Freehold."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

from freehold.adapters.price_tables import tables
from freehold.adapters.price_tables.tables import Listed, Row, Size, figure
from freehold.domain.errors import NotFound
from freehold.domain.offer import Figure
from freehold.ports.price_source import MachineType, PriceSource

PROVIDERS = ("aws", "azure", "gcp")
Place = tuple[str, str, str]
OVERRIDE = "a project says its own in prices.yaml"


class ShippedPrices(PriceSource):
    def digest(self) -> str:
        return tables.digest()

    def machine(self, provider: str, region: str, name: str) -> MachineType:
        _check(provider, region)
        return _machine(provider, region, name)

    def grid_carbon(self, provider: str, region: str) -> Figure | None:
        _check(provider, region)
        row = tables.keyed("grid", "provider", "region").get((provider, region))
        if row is None:
            return None
        grams = float(row["grams_per_kwh"])
        return figure(grams, "g/kWh", row["source"], about=region, note=row["note"])

    def overhead(self, provider: str) -> Figure:
        _check_provider(provider)
        row = tables.keyed("providers", "provider")[(provider,)]
        about = f"power usage effectiveness of {provider}"
        return figure(float(row["overhead"]), "1", row["source"], about=about)

    def storage(self, provider: str, region: str) -> Figure | None:
        _check(provider, region)
        known = tables.keyed("storage", "provider", "region")
        row = known.get((provider, region)) or known.get((provider, "*"))
        if row is None:
            return None
        price = float(row["usd_per_gb_month"])
        return figure(price, "USD/GB/month", row["source"], about=region, note=row["note"])

    def transfer(self, origin: tuple[str, str], destination: tuple[str, str]) -> Figure | None:
        for provider, region in (origin, destination):
            if provider:
                _check(provider, region)
        if not origin[0]:
            whereto = f"into {destination[0]}" if destination[0] else "between places of one's own"
            return Figure(0.0, "USD/GB", f"nothing is charged {whereto}; {OVERRIDE}")
        if origin == destination:
            return Figure(0.0, "USD/GB", f"within {origin[1]}: nothing is charged")
        kind = "region" if origin[0] == destination[0] else "internet"
        row = tables.keyed("transfer", "provider", "to").get((origin[0], kind))
        if row is None:
            return None
        about = f"from {origin[1]}"
        return figure(
            float(row["usd_per_gb"]), "USD/GB", row["source"], about=about, note=row["note"]
        )


@cache
def regions(provider: str) -> frozenset[str]:
    """Every region that a table names."""
    ours = {
        row["region"]
        for table in ("listed", "grid", "storage")
        for row in tables.rows(table)
        if row["provider"] == provider and row["region"] != "*"
    }
    return tables.price_file_regions(provider) | ours


@cache
def machines(provider: str, region: str) -> frozenset[str]:
    """Every type that is sold there, of unknown price too."""
    ours = {
        row["machine"]
        for row in tables.rows("listed")
        if row["provider"] == provider and row["region"] == region
    }
    return frozenset(tables.listed(provider, region)) | ours


def _check_provider(provider: str) -> None:
    if provider not in PROVIDERS:
        raise NotFound(
            f"no prices are known of a provider '{provider}'",
            why=_nearest(provider, PROVIDERS),
            hint=f"use one of these names; {OVERRIDE}",
            code="price.unknown-provider",
        )


def _check(provider: str, region: str) -> None:
    _check_provider(provider)
    known = regions(provider)
    if region not in known:
        raise NotFound(
            f"{provider} has no region '{region}' in the price tables",
            why=_nearest(region, known),
            hint=f"use the provider's own name of the region; {OVERRIDE}",
            code="price.unknown-region",
        )


@cache
def _machine(provider: str, region: str, name: str) -> MachineType:
    row = tables.keyed("listed", "provider", "region", "machine").get((provider, region, name))
    entry = tables.listed(provider, region).get(name)
    if row is None and entry is None:
        raise _unknown_machine(provider, region, name)
    size, place = tables.sizes(provider)[name], (provider, region, name)
    on_demand = _own(row, name, region) or _of_price_file(entry, place, size)
    return MachineType(
        name=name,
        hardware=size.hardware,
        on_demand=on_demand,
        spot=_own_spot(row, name, region)
        or _spot_of_price_file(entry, place)
        or _assumed_spot(provider, on_demand),
        watts=_watts(provider, size),
    )


def _unknown_machine(provider: str, region: str, name: str) -> NotFound:
    nearest = _nearest(name, machines(provider, region))
    elsewhere = "it is sold in other regions; " if name in tables.sizes(provider) else ""
    return NotFound(
        f"{provider} has no machine type '{name}' in {region} in the price tables",
        why=elsewhere + nearest,
        hint=f"use the provider's own name of the type; {OVERRIDE}",
        code="price.unknown-machine",
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    by_fold = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), by_fold, n=5, cutoff=0.5)
    if near:
        return f"the nearest names are {', '.join(by_fold[one] for one in near)}"
    shown = sorted(by_fold.values())[:5]
    return f"there are {', '.join(shown)}" + (" and others" if len(by_fold) > len(shown) else "")


def _own(row: Row | None, name: str, region: str) -> Figure | None:
    if row is None:
        return None
    about = f"{name} in {region}"
    return figure(float(row["on_demand"]), "USD/h", row["source"], about=about, note=row["differs"])


def _own_spot(row: Row | None, name: str, region: str) -> Figure | None:
    if row is None or not row["spot"]:
        return None
    about = f"spot price of {name} in {region}"
    return figure(float(row["spot"]), "USD/h", row["spot_source"], about=about)


def _of_price_file(entry: Listed | None, place: Place, size: Size) -> Figure | None:
    if entry is None or entry.on_demand is None:
        return None
    provider, region, name = place
    words = f"{tables.origin()['name']}, {provider}, Linux, {name} in {region}"
    if provider == "gcp":
        words += " (cores × price of a core + GiB × price of a GiB)"
    elif entry.before_mending is not None:
        words += (
            f" (mended: its entry, {entry.before_mending:g}, is that of a dedicated machine; this "
            "is what the family's other sizes there come to)"
        )
    elif provider == "aws" and size.hardware.accelerators:
        words += " (it may be that of a dedicated machine, 6 to 13 % above the shared one)"
    return Figure(entry.on_demand, "USD/h", words, tables.origin()["date"])


def _spot_of_price_file(entry: Listed | None, place: Place) -> Figure | None:
    if entry is None or entry.spot is None:
        return None
    provider, region, name = place
    called = {"azure": "low priority", "gcp": "preemptible"}.get(provider, "spot")
    words = f"{tables.origin()['name']}, {provider}, Linux, {called}, {name} in {region}"
    return Figure(entry.spot, "USD/h", words, tables.origin()["date"])


def _assumed_spot(provider: str, on_demand: Figure | None) -> Figure | None:
    discount = tables.keyed("providers", "provider")[(provider,)]["spot_discount"]
    if on_demand is None or not discount:
        return None
    share = float(discount)
    words = (
        f"assumed: {share:.0%} under on demand ({on_demand.value:g} USD/h); no published spot "
        f"price in the tables; {OVERRIDE}"
    )
    return Figure(round(on_demand.value * (1 - share), 6), "USD/h", words, on_demand.date)


def _watts(provider: str, size: Size) -> Figure | None:
    """Half way between idle and full, of virtual processors and accelerators; not of memory."""
    row = tables.keyed("processors", "provider", "processor").get((provider, size.processor))
    if row is None:
        return None
    cpus = size.hardware.cpus
    each, words = _half_load(row, size.processor or "virtual processor")
    watts, parts = cpus * each, [f"{cpus:g} × {words}"]
    kind, count = size.hardware.accelerator, size.hardware.accelerators
    if count:
        card = tables.keyed("accelerators", "accelerator").get((kind,))
        if card is None:
            return None
        each, words = _half_load(card, kind)
        watts, parts = watts + count * each, [*parts, f"{count} × {words}"]
    told = tables.keyed("sources", "source")[(row["source"],)]
    return Figure(round(watts, 3), "W", f"at half load: {' + '.join(parts)}", told["date"])


def _half_load(row: Row, called: str) -> tuple[float, str]:
    idle, full = float(row["idle_watts"]), float(row["full_watts"])
    source = tables.keyed("sources", "source")[(row["source"],)]["words"]
    note = f"; {row['note']}" if row["note"] else ""
    middle = (idle + full) / 2
    return middle, f"{middle:g} W of {called} ({idle:g} idle, {full:g} full; {source}{note})"
