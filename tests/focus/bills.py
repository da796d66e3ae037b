"""Bills as providers export them, made for tests: values, formats and habits as documented, figures
invented. Sources as in `freehold/costs/exports.py`."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import polars as pl

Row = dict[str, Any]
JANUARY = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


def _words(text: str) -> list[str]:
    return text.split()


V1_0 = _words(
    "AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingCurrency "
    "BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeClass ChargeDescription "
    "ChargeFrequency ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory "
    "CommitmentDiscountId CommitmentDiscountName CommitmentDiscountStatus CommitmentDiscountType "
    "ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice EffectiveCost "
    "InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingQuantity PricingUnit "
    "ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType "
    "ServiceCategory ServiceName SkuId SkuPriceId SubAccountId SubAccountName Tags"
)
V1_1 = _words(
    "CapacityReservationId CapacityReservationStatus CommitmentDiscountQuantity "
    "CommitmentDiscountUnit ServiceSubcategory SkuMeter SkuPriceDetails"
)
V1_2 = _words(
    "BillingAccountType InvoiceId PricingCurrency PricingCurrencyContractedUnitPrice "
    "PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice SubAccountType"
)
ALL = sorted(V1_0 + V1_1 + V1_2)


def charge(day: int, hours: float, price: float, **others: Any) -> Row:
    """A day of a machine in January 2026: a regular charge of FOCUS 1.2."""
    start = JANUARY[0] + timedelta(days=day)
    cost = price * hours
    row = dict.fromkeys(ALL)
    row |= dict.fromkeys(
        ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost
    ) | dict.fromkeys(("ListUnitPrice", "ContractedUnitPrice"), price)
    row |= {
        "BillingAccountId": "123456789012",
        "BillingAccountName": "Acme",
        "BillingAccountType": "Payer Account",
        "BillingCurrency": "USD",
        "BillingPeriodStart": JANUARY[0],
        "BillingPeriodEnd": JANUARY[1],
        "ChargeCategory": "Usage",
        "ChargeDescription": "$0.5 per On Demand Linux m5.xlarge Instance Hour",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": start,
        "ChargePeriodEnd": start + timedelta(days=1),
        "ConsumedQuantity": hours,
        "ConsumedUnit": "Hours",
        "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingCurrencyEffectiveCost": cost,
        "PricingCurrencyListUnitPrice": price,
        "PricingCurrencyContractedUnitPrice": price,
        "PricingQuantity": hours,
        "PricingUnit": "Hours",
        "ProviderName": "AWS",
        "PublisherName": "Amazon Web Services, Inc.",
        "RegionId": "eu-central-1",
        "RegionName": "EU (Frankfurt)",
        "ResourceId": f"i-{day:08x}",
        "ResourceType": "Virtual Machine",
        "ServiceCategory": "Compute",
        "ServiceName": "Amazon Elastic Compute Cloud",
        "ServiceSubcategory": "Virtual Machines",
        "SkuId": "7W6DNQ55YG9FCPXZ",
        "SkuMeter": "EUC1-BoxUsage:m5.xlarge",
        "SkuPriceId": "7W6DNQ55YG9FCPXZ.JRTCKXETXF",
        "SubAccountId": "210987654321",
        "SubAccountName": "ml",
        "SubAccountType": "Linked Account",
        "Tags": {"team": "risk", "model": "delay"},
    }
    return row | others


def tax(row: Row, cost: float) -> Row:
    """On a charge: none of what belongs to a price."""
    priced = _words(
        "ContractedUnitPrice ListUnitPrice PricingCategory PricingCurrencyContractedUnitPrice "
        "PricingCurrencyListUnitPrice PricingQuantity PricingUnit SkuId SkuMeter SkuPriceId "
        "ConsumedQuantity ConsumedUnit ResourceId ResourceType"
    )
    costs = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
    told = {"ChargeCategory": "Tax", "ChargeDescription": "VAT", "ChargeFrequency": "One-Time"}
    amounts = dict.fromkeys((*costs, "PricingCurrencyEffectiveCost"), cost)
    return row | dict.fromkeys(priced) | amounts | told


def january(days: int = 5) -> list[Row]:
    rows = [charge(day, 24.0, 0.5) for day in range(days)]
    return [*rows, tax(rows[0], 11.4)]


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(value) if isinstance(value, dict | list) else value


def csv(rows: Sequence[Mapping[str, Any]], time: Callable[[datetime], str] | None = None) -> bytes:
    """Times in ISO 8601, or as `time` writes them; maps as JSON."""
    told = [
        {
            name: time(value) if time and isinstance(value, datetime) else _text(value)
            for name, value in row.items()
        }
        for row in rows
    ]
    return pl.DataFrame(told, infer_schema_length=None).write_csv().encode()


def parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    buffer = BytesIO()
    pl.DataFrame(list(rows), infer_schema_length=None).write_parquet(buffer)
    return buffer.getvalue()


def of(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    return [{name: row[name] for name in names} for row in rows]


def aws_1_0(rows: Sequence[Row]) -> bytes:
    """CSV in gzip; five columns of theirs; some issuers missing."""
    told = [
        {
            **row,
            "InvoiceIssuerName": None,
            "x_CostCategories": {},
            "x_Discounts": {},
            "x_Operation": "RunInstances",
            "x_ServiceCode": "AmazonEC2",
            "x_UsageType": row.get("SkuPriceId"),
        }
        for row in of(rows, V1_0)
    ]
    return gzip.compress(csv(told, lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.000Z")))


def aws_1_2(rows: Sequence[Row]) -> bytes:
    """Parquet with map columns and times without a zone."""
    told = []
    for row in rows:
        naive = {k: v.replace(tzinfo=None) for k, v in row.items() if isinstance(v, datetime)}
        tags = [{"key": key, "value": value} for key, value in row["Tags"].items()]
        told.append({**row, **naive, "Tags": tags, "x_Operation": "RunInstances"})
    return parquet(told)


def azure(rows: Sequence[Row]) -> Iterator[Row]:
    for row in rows:
        account = "/providers/Microsoft.Billing/billingAccounts/8611537"
        yield row | {
            "BillingAccountId": account,
            "BillingAccountType": "Billing Account",
            "ProviderName": "Microsoft",
            "PublisherName": None,
            "InvoiceIssuerName": "Microsoft",
            "RegionId": "westeurope",
            "RegionName": "EU West",
            "ServiceName": "Virtual Machines",
            "SubAccountName": "Unassigned",
            "SubAccountType": "Subscription",
            "SkuPriceId": "-2" if row["ChargeCategory"] != "Tax" else None,
        }


def azure_1_0r2(rows: Sequence[Row]) -> bytes:
    """CSV with a byte-order mark; times without seconds; 0 for costs it does not know."""
    names = [name for name in (*V1_0, "BillingAccountType") if name != "AvailabilityZone"]
    told = [
        row | {"ContractedCost": 0.0, "ListCost": 0.0, "x_SkuMeterCategory": "Virtual Machines"}
        for row in of(list(azure(rows)), names)
    ]
    return b"\xef\xbb\xbf" + csv(told, lambda at: at.strftime("%Y-%m-%dT%H:%MZ"))


def azure_preview(rows: Sequence[Row]) -> bytes:
    """1.0-preview: other names, other words, tags without braces."""
    renamed = {
        "RegionId": "Region",
        "ConsumedQuantity": "UsageQuantity",
        "ConsumedUnit": "UsageUnit",
    }
    gone = ("ContractedCost", "ContractedUnitPrice", "ChargeClass", "RegionName")
    told = []
    for row in of(list(azure(rows)), V1_0):
        old = {renamed.get(name, name): value for name, value in row.items() if name not in gone}
        old["Tags"] = json.dumps(row["Tags"])[1:-1]
        old["ChargeSubcategory"] = "On-Demand"
        old["PricingCategory"] = "On-Demand" if row["PricingCategory"] else None
        old["x_OnDemandCost"] = row["ContractedCost"]
        told.append(old)
    return csv(told)


def google_view(rows: Sequence[Row]) -> bytes:
    """The BigQuery view, v1, as Parquet: small letters, arrays of records, months of California
    that end on their last day, no issuer and no name of the account."""
    names = [n for n in V1_0 if n not in ("BillingAccountName", "InvoiceIssuerName")]
    told = []
    for row in of(rows, names):
        record = {"x_type": "label", "x_inherited": False, "x_namespace": "n/a"}
        tags = [{"key": key, "value": value, **record} for key, value in row["Tags"].items()]
        category = row["PricingCategory"]
        told.append(
            row
            | {
                "BillingAccountId": "01150A-B8F62B-47D999",
                "BillingPeriodStart": datetime(2026, 1, 1, 8, tzinfo=UTC),
                "BillingPeriodEnd": datetime(2026, 1, 31, 8, tzinfo=UTC),
                "ChargeCategory": row["ChargeCategory"].lower(),
                "PricingCategory": category and category.lower(),
                "ProviderName": "Google Cloud",
                "PublisherName": "Google Cloud",
                "RegionId": "europe-west3",
                "ServiceCategory": ["GCP", "Compute"],
                "ServiceName": "Compute Engine",
                "SubAccountId": "01150A-B8F62B-47D999",
                "Tags": tags,
                "x_Credits": [{"Name": "promotion", "Amount": -1.0}],
                "x_CostType": "regular",
            }
        )
    return parquet(told)


def allocation(name: str, **others: Any) -> dict[str, Any]:
    """Six hours of a pod, as OpenCost tells it."""
    parts = {"cpuCost": 0.24, "ramCost": 0.06, "gpuCost": 4.2, "pvCost": 0.01, "networkCost": 0.0}
    told = {
        "name": name,
        "properties": {
            "cluster": "racks",
            "namespace": "ml",
            "pod": name,
            "labels": {"team": "risk", "model": "delay"},
            "namespaceLabels": {"team": "platform", "cost": "12"},
        },
        "window": {"start": "2026-01-10T00:00:00Z", "end": "2026-01-11T00:00:00Z"},
        "start": "2026-01-10T06:00:00Z",
        "end": "2026-01-10T12:00:00Z",
        "minutes": 360,
        "cpuCoreHours": 12.0,
        "cpuCostAdjustment": 0.0,
        "gpuHours": 6.0,
        "ramByteHours": 6 * 2.0**33,
        "pvByteHours": 6 * 1e10,
        "networkTransferBytes": 0,
        "loadBalancerCost": 0,
        "sharedCost": 0,
        "externalCost": 0,
        **parts,
        "totalCost": sum(parts.values()),
    }
    return told | others


def opencost(*allocations: Mapping[str, Any]) -> bytes:
    names = {one["name"]: one for one in allocations}
    return json.dumps({"code": 200, "status": "success", "data": [names]}).encode()
