"""A price source whose money is in a project's own currency.

The rate is one: that of the file's own prices if they are in it, else the latest that is stated.
A plan, and what is metered by the same file, are told by it; sums over days (`costs --in`) take
each day's.
"""

from dataclasses import replace

from freehold.costs.overrides import Overridden
from freehold.costs.rates import Stated, latest
from freehold.domain.canonical import digest_of
from freehold.domain.offer import Figure
from freehold.ports.price_source import MachineType, PriceSource

TABLES = "USD"


def in_currency(source: PriceSource, currency: str) -> PriceSource:
    """`source` itself where nothing is to be converted, and where no rate is stated: its figures
    then say by their unit that they are in another currency."""
    stated = stated_of(source)
    rate = next((one for one in stated if one.currency == currency and one.undated), None)
    rate = rate or latest(currency, stated)
    return source if rate is None or currency == TABLES else Converted(source, rate)


def stated_of(source: PriceSource) -> tuple[Stated, ...]:
    """Worths of currencies that a project's file says."""
    if isinstance(source, Converted):
        return stated_of(source.base)
    return source.rates if isinstance(source, Overridden) else ()


class Converted(PriceSource):
    """Carbon and power are no money: they are given on as they are."""

    def __init__(self, base: PriceSource, rate: Stated) -> None:
        self.base, self._rate = base, rate

    def digest(self) -> str:
        return digest_of({"base": self.base.digest(), "currency": self._rate.currency})

    def machine(self, provider: str, region: str, name: str) -> MachineType:
        known = self.base.machine(provider, region, name)
        return replace(known, on_demand=self._money(known.on_demand), spot=self._money(known.spot))

    def grid_carbon(self, provider: str, region: str) -> Figure | None:
        return self.base.grid_carbon(provider, region)

    def overhead(self, provider: str) -> Figure:
        return self.base.overhead(provider)

    def storage(self, provider: str, region: str) -> Figure | None:
        return self._money(self.base.storage(provider, region))

    def transfer(self, origin: tuple[str, str], destination: tuple[str, str]) -> Figure | None:
        return self._money(self.base.transfer(origin, destination))

    def _money(self, figure: Figure | None) -> Figure | None:
        money, _, per = figure.unit.partition("/") if figure is not None else ("", "", "")
        if figure is None or money != TABLES:
            return figure
        rate = self._rate
        unit = f"{rate.currency}/{per}"
        if not figure.value:
            return replace(figure, unit=unit)
        told = f"{figure.value:.6g} USD / {rate.usd:g} USD/{rate.currency} ({rate.source})"
        return replace(
            figure, value=figure.value / rate.usd, unit=unit, source=f"{figure.source}; {told}"
        )
