"""What money of one currency is in another, as a project states it: each currency's worth in USD,
which is what the tables are in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Stated:
    """That one of `currency` costs `usd` USD from a day on, until a later one says otherwise."""

    currency: str
    since: date
    """`date.min` where no day is said."""
    usd: float
    source: str

    @property
    def undated(self) -> bool:
        """Whether it is that of the file's own prices."""
        return self.since == date.min


@dataclass(frozen=True)
class Rate:
    """Money of `into` for one of `currency`, from a day on until a later rate's day."""

    currency: str
    into: str
    since: date
    value: float
    source: str = ""


def rates_into(into: str, stated: Iterable[Stated]) -> list[Rate]:
    """From every other currency of which the worth in USD is stated, by currency and day: a new
    rate on each day on which either one's worth changes. None before both are known."""
    worth = {"USD": [Stated("USD", date.min, 1.0, "")]}
    for one in sorted(stated, key=lambda one: one.since):
        worth.setdefault(one.currency, []).append(one)
    found = []
    for currency in sorted(set(worth) - {into}):
        for day in sorted({one.since for one in (*worth[currency], *worth.get(into, ()))}):
            of, for_ = _on(day, worth[currency]), _on(day, worth.get(into, ()))
            if of is not None and for_ is not None:
                source = "; ".join(one.source for one in (of, for_) if one.source)
                found.append(Rate(currency, into, day, of.usd / for_.usd, source))
    return found


def latest(currency: str, stated: Iterable[Stated]) -> Stated | None:
    """The last day's."""
    known = [one for one in stated if one.currency == currency]
    return max(known, key=lambda one: one.since, default=None)


def _on(day: date, worth: Iterable[Stated]) -> Stated | None:
    return max((one for one in worth if one.since <= day), key=lambda one: one.since, default=None)
