"""The column rules of FOCUS 1.2, written down again from the specification, for judging frames.

Source: FinOps Open Cost and Usage Specification 1.2, the requirements (MUST, MUST NOT) of each
column and of the attributes Null Handling, Numeric Format, Date/Time Format, Currency Format,
Key-Value Format, Unit Format, and Column Naming and Ordering. What a file cannot show, such as
agreement with an invoice, is left out.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

Row = Mapping[str, Any]

LEVELS = """
M BilledCost:number! BillingAccountId:text! BillingAccountName:text BillingCurrency:currency!
M BillingPeriodEnd:time! BillingPeriodStart:time! ChargeCategory:text! ChargeClass:text
M ChargeDescription:text ChargePeriodEnd:time! ChargePeriodStart:time! ContractedCost:number!
M EffectiveCost:number! InvoiceIssuerName:text! ListCost:number! PricingQuantity:number
M PricingUnit:unit ProviderName:text! PublisherName:text! ServiceCategory:text! ServiceName:text!
R AvailabilityZone:text ChargeFrequency:text! InvoiceId:text ServiceSubcategory:text!
C BillingAccountType:text! CapacityReservationId:text CapacityReservationStatus:text
C CommitmentDiscountCategory:text CommitmentDiscountId:text CommitmentDiscountName:text
C CommitmentDiscountQuantity:number CommitmentDiscountStatus:text CommitmentDiscountType:text
C CommitmentDiscountUnit:unit ConsumedQuantity:number ConsumedUnit:unit ContractedUnitPrice:number+
C ListUnitPrice:number+ PricingCategory:text PricingCurrency:currency!
C PricingCurrencyContractedUnitPrice:number+ PricingCurrencyEffectiveCost:number!
C PricingCurrencyListUnitPrice:number+ RegionId:text RegionName:text ResourceId:text
C ResourceName:text ResourceType:text SkuId:text SkuMeter:text SkuPriceDetails:map SkuPriceId:text
C SubAccountId:text SubAccountName:text SubAccountType:text Tags:map
"""
"""M mandatory, R recommended, C conditional; `!` may not be null, `+` may not be negative."""

LISTED = {
    "ChargeCategory": "Usage|Purchase|Tax|Credit|Adjustment",
    "ChargeClass": "Correction",
    "ChargeFrequency": "One-Time|Recurring|Usage-Based",
    "PricingCategory": "Standard|Dynamic|Committed|Other",
    "CommitmentDiscountCategory": "Spend|Usage",
    "CommitmentDiscountStatus": "Used|Unused",
    "CapacityReservationStatus": "Used|Unused",
}
CATEGORIES = """
AI and Machine Learning: AI Platforms|Bots|Generative AI|Machine Learning|\
Natural Language Processing
Analytics: Analytics Platforms|Business Intelligence|Data Processing|Search|Streaming Analytics
Business Applications: Productivity and Collaboration
Compute: Containers|End User Computing|Quantum Compute|Serverless Compute|Virtual Machines
Databases: Caching|Data Warehouses|Ledger Databases|NoSQL Databases|Relational Databases|\
Time Series Databases
Developer Tools: Developer Platforms|Continuous Integration and Deployment|\
Development Environments|Source Code Management|Quality Assurance
Identity: Identity and Access Management
Integration: API Management|Messaging|Workflow Orchestration
Internet of Things: IoT Analytics|IoT Platforms
Management and Governance: Architecture|Compliance|Cost Management|Data Governance|\
Disaster Recovery|Endpoint Management|Observability|Support
Media: Content Creation|Gaming|Media Streaming|Mixed Reality
Migration: Data Migration|Resource Migration
Mobile:
Multicloud: Multicloud Integration
Networking: Application Networking|Content Delivery|Network Connectivity|Network Infrastructure|\
Network Routing|Network Security
Security: Secret Management|Security Posture Management|Threat Detection and Response
Storage: Backup Storage|Block Storage|File Storage|Object Storage|Storage Platforms
Web: Application Platforms
Other:
"""
"""Each has an `Other (…)` too."""

CURRENCY = re.compile(r"[A-Z]{3}")
BASE = r"(?:[KMGTPE]i?[bB]|[bB]|[A-Z][A-Za-z]+(?: [A-Z][A-Za-z]+)*)"
UNIT = re.compile(rf"(?:\d+ )?{BASE}(?:-{BASE}|/(?:\d+ )?{BASE})?")
NAME = re.compile(r"x_[A-Za-z0-9_]+|[A-Z][A-Za-z0-9]*")


def _columns() -> Iterator[tuple[str, str, str, bool, bool]]:
    for line in LEVELS.strip().splitlines():
        level, *told = line.split()
        for one in told:
            name, kind = one.rstrip("!+").split(":")
            yield name, level, kind, one.endswith("!"), one.endswith("+")


COLUMNS = {name: told for name, *told in _columns()}
SUBCATEGORIES = {
    category: {*filter(None, below.strip().split("|")), f"Other ({category})"}
    for category, below in (line.split(":") for line in CATEGORIES.strip().splitlines())
}

PAIRS = (
    ("BillingAccountId", "BillingAccountType"),
    ("SubAccountId", "SubAccountType"),
    ("RegionId", "RegionName"),
    ("ResourceId", "ResourceType"),
    ("CommitmentDiscountId", "CommitmentDiscountCategory"),
    ("CommitmentDiscountId", "CommitmentDiscountType"),
    ("CapacityReservationId", "CapacityReservationStatus"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
    ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"),
)
"""Null together, or not at all."""
ONLY_WITH = (
    ("SubAccountName", "SubAccountId"),
    ("ResourceName", "ResourceId"),
    ("AvailabilityZone", "RegionId"),
    ("CommitmentDiscountName", "CommitmentDiscountId"),
    ("CommitmentDiscountStatus", "CommitmentDiscountId"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountId"),
    ("SkuMeter", "SkuId"),
    ("SkuPriceDetails", "SkuPriceId"),
)
PRICED = (
    "ContractedUnitPrice",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "SkuId",
    "SkuPriceId",
)
"""Null for a tax; not null for regular usage and purchases."""
PRODUCTS = (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost"))


def faults_of(frame: pl.DataFrame) -> list[str]:
    """Every breach, at most a few of each kind; empty for a conformant frame."""
    found = [*_of_columns(frame)]
    if any(name not in frame.columns for name, told in COLUMNS.items() if told[0] == "M"):
        return found
    for place, row in enumerate(frame.iter_rows(named=True)):
        full = {**dict.fromkeys(COLUMNS), **row}
        found += [f"row {place}: {what}" for what in _of_row(full, set(frame.columns))]
    return found


def _of_columns(frame: pl.DataFrame) -> Iterator[str]:
    types: dict[str, Callable[[pl.DataType], bool]] = {
        "number": lambda told: told.is_numeric(),
        "time": lambda told: told == pl.Datetime("us", "UTC"),
    }
    for name, (level, kind, *_) in COLUMNS.items():
        if name not in frame.columns:
            if level == "M":
                yield f"{name} is missing"
        elif not types.get(kind, lambda told: told == pl.String)(frame.schema[name]):
            yield f"{name} is {frame.schema[name]}"
    for name in frame.columns:
        if name not in COLUMNS and not name.startswith("x_"):
            yield f"{name} is neither of FOCUS nor begins with x_"
        if not NAME.fullmatch(name) or len(name) > 50:
            yield f"{name} is no name of a column"


def _of_row(row: Row, there: set[str]) -> Iterator[str]:
    for name in there & COLUMNS.keys():
        _, kind, needed, positive = COLUMNS[name]
        value = row[name]
        if value is None:
            if needed:
                yield f"{name} is null"
            continue
        yield from (f"{name}: {what}" for what in _of_value(kind, value))
        if positive and value < 0:
            yield f"{name} is negative"
        if name in LISTED and value not in LISTED[name].split("|"):
            yield f"{name} is {value}"
    yield from _of_pairs(row, there)
    yield from _of_times(row)
    yield from _of_charge(row, there)
    yield from _of_service(row)


def _of_value(kind: str, value: Any) -> Iterator[str]:
    if kind == "number" and not math.isfinite(value):
        yield f"{value} is no number"
    if kind == "time" and value.utcoffset() != timedelta(0):
        yield f"{value} is not UTC"
    if kind in ("text", "unit", "currency", "map") and not value.strip():
        yield "an empty text stands for null"
    if kind == "currency" and not CURRENCY.fullmatch(value):
        yield f"{value} is no ISO 4217 code"
    if kind == "unit" and not UNIT.fullmatch(value):
        yield f"{value} is no unit"
    if kind == "map":
        yield from _of_map(value)


def _of_map(value: str) -> Iterator[str]:
    seen: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen.extend(key for key, _ in pairs)
        return dict(pairs)

    told = json.loads(value, object_pairs_hook=members)
    if not isinstance(told, dict):
        yield "no object"
    elif any(isinstance(one, dict | list) for one in told.values()):
        yield "nested"
    if len(set(seen)) != len(seen):
        yield "a key stands twice"


def _of_pairs(row: Row, there: set[str]) -> Iterator[str]:
    for one, other in PAIRS:
        if {one, other} <= there and (row[one] is None) != (row[other] is None):
            yield f"{one} and {other} are null together or not at all"
    for name, needs in ONLY_WITH:
        if row[name] is not None and row[needs] is None:
            yield f"{name} without {needs}"
    if row["ResourceName"] is not None and row["ResourceName"] == row["ResourceId"]:
        yield "ResourceName repeats ResourceId"


def _of_times(row: Row) -> Iterator[str]:
    start, end = row["ChargePeriodStart"], row["ChargePeriodEnd"]
    billing: tuple[datetime, datetime] = (row["BillingPeriodStart"], row["BillingPeriodEnd"])
    if None in (start, end, *billing):
        return
    if not start < end:
        yield "the charge ends before it begins"
    if not billing[0] < billing[1]:
        yield "the billing period ends before it begins"
    if row["ChargeClass"] is None and not billing[0] <= start < billing[1]:
        yield "the charge is outside its billing period"


def _of_charge(row: Row, there: set[str]) -> Iterator[str]:
    category, correction = row["ChargeCategory"], row["ChargeClass"] == "Correction"
    regular = category in ("Usage", "Purchase") and not correction
    for name in PRICED:
        if name in there and category == "Tax" and row[name] is not None:
            yield f"{name} of a tax"
        if name in there and regular and row[name] is None:
            yield f"{name} is null"
    unused = row["CommitmentDiscountStatus"] == "Unused"
    for name in ("ConsumedQuantity", "ConsumedUnit"):
        if (category != "Usage" or unused) and row[name] is not None:
            yield f"{name} of what was not used"
        needed = name in there and category == "Usage" and not unused and not correction
        if needed and row[name] is None:
            yield f"{name} is null"
    if category == "Purchase" and row["ChargeFrequency"] == "Usage-Based":
        yield "a purchase is not usage-based"
    for price, cost in PRODUCTS:
        if None not in (row[price], row["PricingQuantity"]) and not correction:
            product = row[price] * row["PricingQuantity"]
            if not math.isclose(product, row[cost], rel_tol=1e-9, abs_tol=1e-12):
                yield f"{price} times PricingQuantity is {product}, not {row[cost]}"


def _of_service(row: Row) -> Iterator[str]:
    category, below = row["ServiceCategory"], row["ServiceSubcategory"]
    if category not in SUBCATEGORIES:
        yield f"ServiceCategory is {category}"
    elif below is not None and below not in SUBCATEGORIES[category]:
        yield f"ServiceSubcategory {below} is not of {category}"
