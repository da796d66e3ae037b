"""OpenCost allocations as rows of FOCUS.

Source: OpenCost, API `/allocation`: `{"code": 200, "data": [{name: allocation, …}, …]}`, an entry
for each step of the window. An allocation has `window` and its own `start` and `end`, `properties`
(cluster, namespace, controller, pod, labels, …), and for each resource a cost, its adjustment and
an amount. Prices are on-demand list prices unless a bill is connected: rows are marked estimated.
The answer names no currency.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from freehold.costs.bills import with_names
from freehold.costs.focus import TAGGED, frame_of, schema
from freehold.costs.tags import repeated, told
from freehold.costs.usage import days_of, periods_of
from freehold.domain.errors import Fault

GIB, GB = 2**30, 10**9


@dataclass(frozen=True)
class _Part:
    name: str
    amount: str
    """Member with how much; empty for hours."""
    size: float
    """Of one unit in what `amount` counts."""
    unit: str
    category: str
    subcategory: str
    meter: str


PARTS = (
    _Part("cpu", "cpuCoreHours", 1, "Core-Hours", "Compute", "Containers", "CPU"),
    _Part("gpu", "gpuHours", 1, "GPU-Hours", "Compute", "Containers", "GPU"),
    _Part("ram", "ramByteHours", GIB, "GiB-Hours", "Compute", "Containers", "Memory"),
    _Part("pv", "pvByteHours", GIB, "GiB-Hours", "Storage", "Block Storage", "Volumes"),
    _Part(
        "network", "networkTransferBytes", GB, "GB", "Networking", "Network Connectivity", "Network"
    ),
    _Part("loadBalancer", "", 1, "Hours", "Networking", "Network Infrastructure", "Load Balancers"),
    _Part("shared", "", 1, "Hours", "Compute", "Containers", "Shared"),
    _Part("external", "", 1, "Hours", "Other", "Other (Other)", "External"),
    _Part("other", "", 1, "Hours", "Other", "Other (Other)", "Not itemised"),
)
ROUNDING = 1e-4
"""Money by which a total may differ from its parts: the answer's numbers are rounded."""
HINT = "ask /allocation again, and keep its answer as it comes"


@dataclass(frozen=True)
class Allocations:
    rows: pl.DataFrame
    """Columns of `focus`; empty if there are faults."""
    start: datetime
    """Of the window that was asked for."""
    end: datetime
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Labelled:
    """What the answer does not say."""

    provider: str
    """Whose machines they are: the organisation's own name."""
    currency: str
    sites: frozenset[str] = frozenset()
    """Names of the project's sites: a cluster of such a name is that site."""


def allocations_of(document: Any, about: Labelled, file: str) -> Allocations:
    """Collects all faults; a `where` is `file entry N 'name'`."""
    faults: list[Fault] = []
    rows: list[dict[str, Any]] = []
    seen: set[tuple[str, datetime, datetime]] = set()
    starts, ends = [], []
    for place, name, allocation in _each(document, file, faults):
        where = f"{file} entry {place} '{name}'"
        read = _Read(allocation, where, faults)
        window = read.times(allocation.get("window", allocation))
        span = read.times(allocation) or window
        if window is None or span is None or not read.sound():
            continue
        if (name, *span) in seen:
            what = "it stands twice for the same time"
            faults.append(Fault("bill.duplicates", what, where, HINT))
        seen.add((name, *span))
        starts.append(window[0])
        ends.append(window[1])
        rows += _rows(name, allocation, span, about)
    if not rows and not faults:
        faults.append(Fault("bill.empty", "it has no allocation that cost anything", file, HINT))
    if faults:
        moment = datetime(1970, 1, 1, tzinfo=UTC)
        return Allocations(pl.DataFrame(schema=schema()), moment, moment, tuple(faults))
    frame = frame_of(rows)
    tagged = repeated(frame["Tags"]).struct.unnest()
    kept = [pl.coalesce(tagged[name], frame[name]).alias(name) for name in TAGGED.values()]
    named = with_names(frame.with_columns(*kept).lazy()).select(*schema()).collect()
    return Allocations(named, min(starts), max(ends), ())


def _each(document: Any, file: str, faults: list[Fault]) -> Iterator[tuple[int, str, Any]]:
    data = document.get("data") if isinstance(document, dict) else document
    if isinstance(document, dict) and document.get("code", 200) != 200:
        what = f"OpenCost answered {document.get('code')}, not with allocations"
        faults.append(Fault("bill.format", what, file, HINT))
        return
    if not isinstance(data, list):
        what = "there is no `data` with a list of allocations by name"
        faults.append(Fault("bill.format", what, file, HINT))
        return
    for place, entry in enumerate(data):
        if entry is None:
            continue
        if not isinstance(entry, dict):
            what = "it is not allocations by name"
            faults.append(Fault("bill.format", what, f"{file} entry {place}", HINT))
            continue
        for name, allocation in entry.items():
            if isinstance(allocation, dict):
                yield place, name, allocation
            else:
                what = "it is no allocation"
                faults.append(Fault("bill.format", what, f"{file} entry {place} '{name}'", HINT))


@dataclass(frozen=True)
class _Read:
    allocation: Mapping[str, Any]
    where: str
    faults: list[Fault]

    def times(self, told: Any) -> tuple[datetime, datetime] | None:
        if not isinstance(told, dict) or not {"start", "end"} <= told.keys():
            return None
        try:
            start, end = (datetime.fromisoformat(str(told[name])) for name in ("start", "end"))
        except ValueError:
            self._fault("bill.times", f"no times: '{told['start']}' and '{told['end']}'")
            return None
        if start.tzinfo is None or end.tzinfo is None:
            self._fault("bill.times", "its times have no zone")
            return None
        if end <= start:
            self._fault("bill.periods", f"it ends before it begins: {start} to {end}")
            return None
        return start.astimezone(UTC), end.astimezone(UTC)

    def sound(self) -> bool:
        """Whether its costs are numbers and it has a total and a time."""
        if "totalCost" not in self.allocation:
            self._fault("bill.columns", "it has no totalCost")
            return False
        wrong = [
            name
            for name, value in self.allocation.items()
            if name.endswith(("Cost", "CostAdjustment", "Hours", "Bytes")) and not _is_number(value)
        ]
        for name in wrong:
            self._fault("bill.numbers", f"{name} is no number: {self.allocation[name]!r}")
        return not wrong

    def _fault(self, code: str, what: str) -> None:
        self.faults.append(Fault(code, what, self.where, HINT))


def _is_number(value: Any) -> bool:
    return value is None or (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    )


def _costs(allocation: Mapping[str, Any]) -> Iterator[tuple[_Part, float]]:
    """The parts that cost something; what the total has beyond them is `other`."""
    left = float(allocation["totalCost"] or 0)
    for part in PARTS[:-1]:
        cost = float(allocation.get(f"{part.name}Cost") or 0)
        cost += float(allocation.get(f"{part.name}CostAdjustment") or 0)
        left -= cost
        if cost:
            yield part, cost
    if abs(left) > ROUNDING:
        yield PARTS[-1], left


def _rows(
    name: str, allocation: Mapping[str, Any], span: tuple[datetime, datetime], about: Labelled
) -> Iterator[dict[str, Any]]:
    fixed = _fixed(name, allocation.get("properties") or {}, about)
    hours = (span[1] - span[0]).total_seconds() / 3600
    for part, cost in _costs(allocation):
        amount = float(allocation.get(part.amount) or 0) / part.size if part.amount else hours
        unit = part.unit if amount > 0 else "Hours"
        for start, end, share in days_of(*span):
            yield {
                **fixed,
                **periods_of(start, end),
                **_charge(part, cost, (amount if amount > 0 else hours, unit), share),
                "ChargeDescription": f"{part.meter}: {name}",
            }


def _charge(part: _Part, cost: float, amount: tuple[float, str], share: float) -> dict[str, Any]:
    """A cost below nothing, which a later adjustment makes, is an adjustment without a price."""
    costs = (
        "BilledCost",
        "ContractedCost",
        "EffectiveCost",
        "ListCost",
        "PricingCurrencyEffectiveCost",
    )
    service = {
        "ServiceCategory": part.category,
        "ServiceSubcategory": part.subcategory,
        "ServiceName": "Kubernetes",
    }
    if cost < 0:
        kind = {"ChargeCategory": "Adjustment", "ChargeFrequency": "One-Time"}
        return {**service, **kind, **dict.fromkeys(costs, cost * share)}
    price, quantity = cost / amount[0], amount[0] * share
    prices = ("ListUnitPrice", "ContractedUnitPrice")
    return {
        **service,
        **dict.fromkeys(costs, price * quantity),
        **dict.fromkeys((*prices, *(f"PricingCurrency{name}" for name in prices)), price),
        **dict.fromkeys(("PricingQuantity", "ConsumedQuantity"), quantity),
        **dict.fromkeys(("PricingUnit", "ConsumedUnit"), amount[1]),
        **dict.fromkeys(("SkuId", "SkuPriceId"), f"opencost/{part.name}"),
        "SkuMeter": part.meter,
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "PricingCategory": "Standard",
    }


def _fixed(name: str, properties: Mapping[str, Any], about: Labelled) -> dict[str, Any]:
    cluster = str(properties.get("cluster") or "cluster")
    namespace = properties.get("namespace")
    labels = {**(properties.get("namespaceLabels") or {}), **(properties.get("labels") or {})}
    tags = told({**labels, "cluster": cluster} | ({"namespace": namespace} if namespace else {}))
    kinds = (("container", "Container"), ("pod", "Pod"), ("controller", "Workload"))
    kind = next((word for key, word in kinds if properties.get(key)), "Namespace")
    return {
        **dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName"), about.provider),
        **dict.fromkeys(("BillingCurrency", "PricingCurrency"), about.currency),
        **dict.fromkeys(("BillingAccountId", "BillingAccountName"), cluster),
        **dict.fromkeys(("SubAccountId", "SubAccountName"), namespace),
        "BillingAccountType": "Cluster",
        "SubAccountType": "Namespace" if namespace else None,
        "ResourceId": f"{cluster}/{name}",
        "ResourceName": name,
        "ResourceType": kind,
        "Tags": tags,
        "x_Source": "opencost",
        "x_Estimated": True,
        "x_Site": cluster if cluster in about.sites else None,
    }
