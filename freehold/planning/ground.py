"""What a plan stands on: what sites offer, what crossing and keeping cost, what is forbidden."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from freehold.domain.offer import Figure, Offer
from freehold.domain.placement import Crossing
from freehold.planning.labelling import Labels

Barred = Callable[[Labels, str], str]
"""Labels, site → why data that bears them may not be there, or empty."""
BarredWay = Callable[[Labels, str, str], str]
"""Labels, from, to → why no store may carry it there, or empty."""
Denials = Callable[[str, Labels, str], Sequence[str]]
"""Step, labels, site → rules of the project's policies that say no, with their words."""

GIGABYTE = 1e9
MONTH_DAYS = 30.0


@dataclass(frozen=True)
class Way:
    """From one site to another, with the figures behind it."""

    money: Figure
    """Per GB."""
    carbon: Figure
    """kgCO2e per GB."""
    seconds: Figure
    """Per GB."""

    @property
    def figures(self) -> tuple[Figure, Figure, Figure]:
        return self.money, self.carbon, self.seconds

    @property
    def crossing(self) -> Crossing:
        return Crossing(self.money.value, self.carbon.value, self.seconds.value)


@dataclass(frozen=True)
class Laws:
    """What may not be, whatever it costs."""

    barred: Barred
    barred_way: BarredWay
    denials: Denials = lambda _step, _labels, _site: ()


@dataclass(frozen=True)
class Ground:
    here: str
    """Where the plan is made and its run driven from."""
    sites: tuple[str, ...]
    offers: Mapping[str, tuple[Offer, ...]]
    """By site; a site that is not named offers no machine."""
    ways: Mapping[tuple[str, str], Way]
    storage: Mapping[str, Figure]
    """By site, money for a GB and month, where it is known."""
    quotas: Mapping[str, float]
    """By pool."""
    currency: str
    keep_days: float
    """That outputs are kept."""
    keep_source: str = "assumed"
    """Who says so."""
    replicas: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Site → `results`, `models`, `aliases`: what is copied there without being asked for."""
    down: Mapping[str, str] = field(default_factory=dict)
    """Site → why it takes no work."""
    missing: tuple[str, ...] = ()
    """What is not known and was left out, for people: `azure: no price of egress`."""

    @property
    def kept(self) -> Figure:
        return Figure(self.keep_days, "days", self.keep_source)

    def keeping(self, site: str, size: float) -> float:
        """Money for so many bytes at a site, as long as outputs are kept; 0 where it is unknown."""
        price = self.storage.get(site)
        if price is None:
            return 0.0
        return size / GIGABYTE * price.value * self.keep_days / MONTH_DAYS

    def keeping_figures(self, site: str) -> dict[str, Figure]:
        """What `keeping` is made of, by name; none where nothing is counted."""
        price = self.storage.get(site)
        return {} if price is None else {"storage": price, "kept": self.kept}

    def keeping_told(self, site: str, size: float) -> str:
        """The formula of `keeping`, or empty where nothing is counted."""
        price = self.storage.get(site)
        if price is None or not size:
            return ""
        told = f"{size / GIGABYTE:.6g} GB × {price.value:g} {self.currency}/GB a month"
        return f"{told} × {self.keep_days:g} days / {MONTH_DAYS:g}"
