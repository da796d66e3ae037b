"""`prices.yaml`: a project's own figures, read from its mapping with all faults.

```yaml
currency: EUR            # USD if it is not said
usd: 1.08                # what one unit of it costs in USD; needed unless it is USD
machines:                # of a provider's, or of the project's own naming
  - {provider: aws, region: eu-central-1, name: m5.xlarge, price: 0.19, spot: 0.07}
  - {provider: hetzner, region: fsn1, name: ccx33, price: 0.09, cpus: 8, memory: 32}
spot: [{provider: aws, discount: 0.5}]
grid: [{provider: hetzner, region: fsn1, grams_per_kwh: 30}]
overhead: [{provider: hetzner, ratio: 1.16}]
storage: [{provider: aws, region: eu-central-1, price: 0.021}]
transfer: [{from: aws/eu-central-1, to: own, price: 0.05}]
rates: [{currency: GBP, usd: 1.27, since: 2026-01-01}]   # what one of it costs in USD from a day on
```

Every row may have a `date` and a `source`. `own` is a place of one's own; a provider without a
region is any of its regions.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, TypeVar

from freehold.costs.fields import Fields, Where
from freehold.costs.rates import Stated
from freehold.domain.errors import Fault
from freehold.domain.offer import Figure, Hardware

CURRENCIES = (
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS",
    "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "THB", "TRY",
    "TWD", "USD", "ZAR",
)  # fmt: skip
"""ISO 4217."""
KINDS = ("machines", "spot", "grid", "overhead", "storage", "transfer", "rates")
ORIGIN = ("date", "source")
GIB = 2**30
Place = tuple[str, str]
"""Provider and region; an empty region is any, an empty provider a place of one's own."""
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True)
class OwnMachine:
    price: Figure | None
    spot: Figure | None
    watts: Figure | None
    hardware: Hardware | None
    place: str
    """Where in the file it stands."""


@dataclass(frozen=True)
class OwnPrices:
    machines: Mapping[tuple[str, str, str], OwnMachine] = field(default_factory=dict)
    """By provider, region, name."""
    discounts: Mapping[str, Figure] = field(default_factory=dict)
    """Share by which spot is cheaper, by provider."""
    grid: Mapping[Place, Figure] = field(default_factory=dict)
    overhead: Mapping[str, Figure] = field(default_factory=dict)
    storage: Mapping[Place, Figure] = field(default_factory=dict)
    transfer: Mapping[tuple[Place, Place], Figure] = field(default_factory=dict)
    rates: tuple[Stated, ...] = ()


def read(document: Mapping[str, Any], where: Where, faults: list[Fault]) -> OwnPrices:
    """What can be read; `faults` gets all that is wrong."""
    whole = Fields(document, (), where, faults)
    whole.known("currency", "usd", *KINDS)
    money = _money(whole)
    return OwnPrices(
        machines=_each(whole, "machines", lambda row: _machine(row, money)),
        discounts=_each(whole, "spot", _discount),
        grid=_each(whole, "grid", _grid),
        overhead=_each(whole, "overhead", _overhead),
        storage=_each(whole, "storage", lambda row: _storage(row, money)),
        transfer=_each(whole, "transfer", lambda row: _transfer(row, money)),
        rates=(*_own_rate(whole, money), *_each(whole, "rates", _rate).values()),
    )


@dataclass(frozen=True)
class Money:
    currency: str = "USD"
    usd: float = 1.0

    def figure(self, row: Fields, name: str, per: str) -> Figure | None:
        """A price of the row in USD."""
        value = row.positive(name)
        if value is None:
            return None
        if self.currency == "USD":
            return _figure(row, value, f"USD/{per}")
        words = f"{value:g} {self.currency} × {self.usd:g} USD/{self.currency}"
        return _figure(row, value * self.usd, f"USD/{per}", words)


def _money(whole: Fields) -> Money:
    currency, usd = whole.text("currency") or "USD", whole.positive("usd")
    if currency not in CURRENCIES:
        near = get_close_matches(currency.upper(), CURRENCIES, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "write EUR, GBP, USD or the like"
        whole.fault("prices.currency", f"there is no currency '{currency}'", "currency", hint)
    elif currency == "USD" and usd not in (None, 1.0):
        whole.fault("prices.rate", "one USD is one USD", "usd")
    elif currency != "USD" and usd is None and whole.values.get("usd") is None:
        what = f"what one {currency} costs in USD is missing: the tables are in USD"
        whole.fault("prices.rate", what, "currency")
    return Money(currency, usd or 1.0)


def _each(
    whole: Fields, kind: str, make: Callable[[Fields], tuple[Key, Value] | None]
) -> dict[Key, Value]:
    found: dict[Key, Value] = {}
    for row in whole.rows(kind):
        made = make(row)
        if made is not None and made[0] in found:
            row.fault("prices.twice", f"{kind}: this was said already")
        elif made is not None:
            found[made[0]] = made[1]
    return found


def _figure(row: Fields, value: float, unit: str, words: str = "") -> Figure:
    said = row.text("source")
    parts = (f"the project's own, {row.place}", said, words)
    return Figure(value, unit, ", ".join(part for part in parts if part), row.day("date"))


def _machine(row: Fields, money: Money) -> tuple[tuple[str, str, str], OwnMachine] | None:
    figures, hardware = ("price", "spot", "watts"), ("cpus", "memory", "accelerators")
    names = ("provider", "region", "name")
    row.known(*names, *figures, *hardware, "accelerator", *ORIGIN)
    row.required(*names)
    price, spot = (money.figure(row, name, "h") for name in ("price", "spot"))
    watts = row.positive("watts")
    if all(row.values.get(name) is None for name in figures):
        row.fault("prices.missing-key", "a machine's row has no price, no spot and no watts")
    if price and spot and spot.value >= price.value:
        row.fault("prices.spot", "spot is not cheaper than on demand", "spot")
    made = OwnMachine(
        price,
        spot,
        _figure(row, watts, "W") if watts is not None else None,
        _hardware(row),
        row.place,
    )
    provider, region, name = (row.text(one) for one in names)
    return ((provider, region, name), made) if provider and region and name else None


def _hardware(row: Fields) -> Hardware | None:
    """None unless the row says what the machine is."""
    cpus, gib, count = row.positive("cpus"), row.positive("memory"), row.whole("accelerators")
    kind = row.text("accelerator")
    for one, other in (("cpus", "memory"), ("accelerators", "accelerator")):
        if (row.values.get(one) is None) != (row.values.get(other) is None):
            row.fault("prices.missing-key", f"{one} and {other} are said together")
    if cpus is None or gib is None:
        return None
    return Hardware(cpus, round(gib * GIB), count or 0, kind)


def _own_rate(whole: Fields, money: Money) -> tuple[Stated, ...]:
    """That of the prices in the file, which says no day: it holds from the beginning of time."""
    if money.currency == "USD":
        return ()
    return (
        Stated(money.currency, date.min, money.usd, f"the project's own, {whole.where(('usd',))}"),
    )


def _rate(row: Fields) -> tuple[tuple[str, date], Stated] | None:
    row.known("currency", "usd", "since", *ORIGIN)
    row.required("currency", "usd", "since")
    currency, usd, since = row.text("currency"), row.positive("usd"), row.day("since")
    if currency and (currency not in CURRENCIES or currency == "USD"):
        hint = "write EUR, GBP or the like; one USD is one USD"
        row.fault("prices.currency", f"there is no rate of '{currency}'", "currency", hint)
        return None
    if not currency or usd is None or not since:
        return None
    day = date.fromisoformat(since)
    return (currency, day), Stated(currency, day, usd, _figure(row, usd, "USD").source)


def _discount(row: Fields) -> tuple[str, Figure] | None:
    row.known("provider", "discount", *ORIGIN)
    row.required("provider", "discount")
    provider, share = row.text("provider"), row.positive("discount", most=0.99)
    return (provider, _figure(row, share, "1")) if provider and share is not None else None


def _grid(row: Fields) -> tuple[Place, Figure] | None:
    row.known("provider", "region", "grams_per_kwh", *ORIGIN)
    row.required("provider", "region", "grams_per_kwh")
    place, grams = (row.text("provider"), row.text("region")), row.positive("grams_per_kwh")
    return (place, _figure(row, grams, "g/kWh")) if all(place) and grams is not None else None


def _overhead(row: Fields) -> tuple[str, Figure] | None:
    row.known("provider", "ratio", *ORIGIN)
    row.required("provider", "ratio")
    provider, ratio = row.text("provider"), row.at_least("ratio", 1.0)
    return (provider, _figure(row, ratio, "1")) if provider and ratio is not None else None


def _storage(row: Fields, money: Money) -> tuple[Place, Figure] | None:
    row.known("provider", "region", "price", *ORIGIN)
    row.required("provider", "region", "price")
    place, price = (
        (row.text("provider"), row.text("region")),
        money.figure(row, "price", "GB/month"),
    )
    return (place, price) if all(place) and price is not None else None


def _transfer(row: Fields, money: Money) -> tuple[tuple[Place, Place], Figure] | None:
    row.known("from", "to", "price", *ORIGIN)
    row.required("from", "to", "price")
    origin, destination = row.text("from"), row.text("to")
    free = row.values.get("price") == 0 and not isinstance(row.values.get("price"), bool)
    price = _figure(row, 0.0, "USD/GB") if free else money.figure(row, "price", "GB")
    if not origin or not destination or price is None:
        return None
    return (_place(origin), _place(destination)), price


def _place(said: str) -> Place:
    provider, _, region = said.partition("/")
    return ("", "") if said == "own" else (provider, region)
