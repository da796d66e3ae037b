"""What was metered, as rows of FOCUS.

A usage becomes one row for each day (UTC) that it touches, its quantity divided by time: so that
sums by day and by billing month are right. The billing period is the calendar month, UTC.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import polars as pl

from freehold.costs.focus import TAGGED, frame_of

UsageKind = Literal["step", "storage", "transfer", "endpoint", "requests"]

PROVIDERS: Mapping[str, str] = {
    "aws": "AWS",
    "azure": "Microsoft",
    "gcp": "Google Cloud",
}
"""Short name → the name that the provider's own bills carry as ProviderName."""

_SIZES = "[KMGTPE]i?[Bb]|[Bb]"
_UNIT = re.compile(rf"(?:[1-9]\d* )?(?:{_SIZES}|[A-Z][A-Za-z]*)(?:[-/](?:{_SIZES}|[A-Z][a-z]+))?")
"""FOCUS 1.2, attribute Unit Format, without the rarer denominators with a number."""
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class _Service:
    category: str
    subcategory: str
    name: str
    meter: str


SERVICES: Mapping[UsageKind, _Service] = {
    "step": _Service("Compute", "Virtual Machines", "Pipeline Steps", "Machine Time"),
    "storage": _Service("Storage", "Object Storage", "Artifact Storage", "Stored Bytes"),
    "transfer": _Service(
        "Networking", "Network Connectivity", "Data Transfer", "Transferred Bytes"
    ),
    "endpoint": _Service(
        "AI and Machine Learning", "Machine Learning", "Prediction Endpoints", "Replica Time"
    ),
    "requests": _Service(
        "AI and Machine Learning", "Machine Learning", "Prediction Requests", "Requests"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Something consumed over a time, at a price. Raises ValueError where it cannot be a row: that
    is a fault of whoever metered it."""

    kind: UsageKind
    site: str
    provider: str
    """`aws`, `azure`, `gcp`, or for racks of one's own the organisation's name."""
    region: str = ""
    """As its provider calls it; empty where there is none."""
    resource_id: str = ""
    """Empty for what is no single thing."""
    resource_name: str = ""
    resource_type: str = ""
    """Needed with a resource: `Virtual Machine`, `Endpoint Replica`, `Bucket`."""
    sku: str
    """Machine type, storage class: what the price is of."""
    quantity: float
    """Of `unit`, over the whole time. Positive: what was not used is no row."""
    unit: str
    """In FOCUS's unit format: `Hours`, `GB-Hours`, `GB`, `1000 Requests`."""
    unit_price: float
    """Money for one of `unit`; 0 where it costs nothing."""
    currency: str
    """ISO 4217, such as `USD`."""
    start: datetime
    """With a zone."""
    end: datetime
    """The first moment after; with a zone."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """project, team, model, version, site, environment, run, step, and any others; empty values are
    left out. `site` is filled in."""
    carbon: float | None = None
    """kgCO2e over the whole time; None if unknown."""
    priced: bool = True
    """Whether the price is known; if not, `unit_price` is 0 and the row says that it is unknown."""
    estimated: bool = True
    """Whether the price is a table's, not a bill's."""
    spot: bool = False
    accelerators: int = 0
    """That the machine has."""
    accelerator_use: float | None = None
    """The mean share of them that was used, 0 to 1; None if unknown, or if it has none."""
    account: str = ""
    """Who pays; the project where it is not said."""

    def __post_init__(self) -> None:
        faults = [what for wrong, what in self._checks() if wrong]
        if faults:
            raise ValueError(f"not a usage: {'; '.join(faults)}")

    def _checks(self) -> Iterator[tuple[bool, str]]:
        numbers = {"quantity": self.quantity, "unit price": self.unit_price}
        numbers["number of accelerators"] = self.accelerators
        if self.accelerator_use is not None:
            numbers["accelerators' use"] = self.accelerator_use
            yield self.accelerator_use > 1, "its accelerators are used more than wholly"
            yield not self.accelerators, "it uses accelerators and has none"
        if self.carbon is not None:
            numbers["carbon"] = self.carbon
        for name, number in numbers.items():
            yield not math.isfinite(number) or number < 0, f"its {name} is {number}"
        yield self.quantity == 0, "its quantity is nothing"
        yield not self.priced and self.unit_price != 0, "its price is both unknown and stated"
        yield not _CURRENCY.fullmatch(self.currency), f"'{self.currency}' is no ISO 4217 code"
        yield not _UNIT.fullmatch(self.unit), f"'{self.unit}' is no unit of FOCUS"
        for name in ("site", "provider", "sku"):
            yield not getattr(self, name), f"it has no {name}"
        yield bool(self.resource_id) != bool(self.resource_type), "a resource has an id and a type"
        yield bool(self.resource_name) and not self.resource_id, "a resource's name needs its id"
        if self.start.tzinfo is None or self.end.tzinfo is None:
            yield True, "its times have no zone"
        else:
            yield self.end <= self.start, "it ends before it begins"

    def rows(self) -> Iterator[dict[str, Any]]:
        """One for each day, as FOCUS has them; values of every column that is not null."""
        fixed = self._fixed()
        identity = self._identity()
        for start, end, share in days_of(self.start.astimezone(UTC), self.end.astimezone(UTC)):
            quantity = self.quantity * share
            if quantity > 0:
                yield {
                    **fixed,
                    **self._amounts(quantity, self.carbon and self.carbon * share),
                    **periods_of(start, end),
                    "x_RowId": _digest([*identity, start.isoformat(), end.isoformat()]),
                }

    def _amounts(self, quantity: float, carbon: float | None) -> dict[str, Any]:
        cost = quantity * self.unit_price
        costs = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
        return {
            **dict.fromkeys((*costs, "PricingCurrencyEffectiveCost"), cost),
            "ConsumedQuantity": quantity,
            "PricingQuantity": quantity,
            "x_CarbonKilograms": carbon,
        }

    def _tags(self) -> dict[str, str]:
        told = {"site": self.site, **self.tags}
        return {key: told[key] for key in sorted(told) if told[key]}

    def _display_name(self) -> str | None:
        """A name that only repeats the id is none, says FOCUS."""
        return self.resource_name if self.resource_name not in ("", self.resource_id) else None

    def _identity(self) -> list[str]:
        """What makes it this usage and no other; how much it was and cost is not part of it."""
        tags = json.dumps(self._tags(), ensure_ascii=False)
        what = [self.kind, self.site, self.provider, self.region, self.account, self.resource_id]
        return [*what, self.sku, self.unit, self.currency, str(self.spot), tags]

    def _fixed(self) -> dict[str, Any]:
        service = SERVICES[self.kind]
        provider = PROVIDERS.get(self.provider, self.provider)
        tags = self._tags()
        account = self.account or tags.get("project") or provider
        prices = ("ListUnitPrice", "ContractedUnitPrice")
        in_its_currency = tuple(f"PricingCurrency{name}" for name in prices)
        return {
            **dict.fromkeys((*prices, *in_its_currency), self.unit_price),
            **dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName"), provider),
            **dict.fromkeys(("BillingCurrency", "PricingCurrency"), self.currency),
            **dict.fromkeys(("PricingUnit", "ConsumedUnit"), self.unit),
            **dict.fromkeys(("BillingAccountId", "BillingAccountName"), account),
            **dict.fromkeys(("SubAccountId", "SubAccountName"), self.site),
            **dict.fromkeys(("RegionId", "RegionName"), self.region or None),
            "BillingAccountType": "Project",
            "SubAccountType": "Site",
            "ChargeCategory": "Usage",
            "ChargeDescription": f"{service.meter}: {self.resource_name or self.sku}, {self.site}",
            "ChargeFrequency": "Usage-Based",
            "PricingCategory": "Dynamic" if self.spot else "Standard",
            "ResourceId": self.resource_id or None,
            "ResourceName": self._display_name(),
            "ResourceType": self.resource_type or None,
            "ServiceCategory": service.category,
            "ServiceSubcategory": service.subcategory,
            "ServiceName": service.name,
            "SkuId": self.sku,
            "SkuPriceId": f"{self.sku}/spot" if self.spot else self.sku,
            "SkuMeter": service.meter,
            "Tags": json.dumps(tags, ensure_ascii=False),
            "x_Source": "metered",
            "x_Kind": self.kind,
            "x_Estimated": self.estimated,
            "x_Unpriced": not self.priced,
            "x_Accelerators": float(self.accelerators) or None,
            "x_AcceleratorUse": self.accelerator_use,
            **{TAGGED[key]: value for key, value in tags.items() if key in TAGGED},
        }


def frame_of_usage(usages: Iterable[Usage]) -> pl.DataFrame:
    """Rows with the schema of `focus`."""
    return frame_of(row for usage in usages for row in usage.rows())


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """The calendar month that holds a moment of UTC: its start, and the first moment after."""
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    following = start + timedelta(days=32)
    return start, datetime(following.year, following.month, 1, tzinfo=UTC)


def periods_of(start: datetime, end: datetime) -> dict[str, datetime]:
    """FOCUS's four times of a charge that does not leave its calendar month, UTC."""
    month, following = month_of(start)
    return {
        "ChargePeriodStart": start,
        "ChargePeriodEnd": end,
        "BillingPeriodStart": month,
        "BillingPeriodEnd": following,
    }


def days_of(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, float]]:
    """Parts of a time of UTC that end at midnight, and each part's share of it."""
    whole = end - start
    while start < end:
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=1)
        until = min(midnight, end)
        yield start, until, (until - start) / whole
        start = until


def _digest(told: list[str]) -> str:
    return sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()[:32]
