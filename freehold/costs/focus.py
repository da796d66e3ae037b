"""The columns of FOCUS 1.2, and those of ours beside them.

Source: FinOps Open Cost and Usage Specification 1.2, section Columns: each column's requirements
and content constraints (feature level, whether it may be null, data type, allowed values), and
section Attributes for names (custom columns begin with `x_`), times, numbers and key-value maps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from freehold.costs.services import SUBCATEGORIES

Level = Literal["mandatory", "conditional", "recommended", "custom"]
Kind = Literal["text", "decimal", "time", "map", "flag"]

TIME = pl.Datetime("us", "UTC")
TYPES: Mapping[Kind, pl.DataType] = {
    "text": pl.String(),
    "decimal": pl.Float64(),
    "time": TIME,
    "map": pl.String(),
    "flag": pl.Boolean(),
}
"""A decimal is a double, one of the precisions that Numeric Format names; a map is a JSON object of
texts, numbers, booleans and nulls, as Key-Value Format asks."""


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind
    level: Level
    """Whether a data set must have it: always, where its provider has what it is about, or as
    advice; `custom` is ours."""
    nullable: bool = True
    """Whether a row may leave it empty. Conditions beyond that are in the specification."""
    since: str = "1.0"
    """The version of the specification that has it first."""
    allowed: tuple[str, ...] = ()
    """Values, where they are listed."""


def _mandatory(name: str, kind: Kind, allowed: tuple[str, ...] = ()) -> Column:
    return Column(name, kind, "mandatory", False, allowed=allowed)


def _conditional(name: str, kind: Kind = "text", since: str = "1.0") -> Column:
    return Column(name, kind, "conditional", since=since)


STATES = ("Used", "Unused")

FOCUS: tuple[Column, ...] = (
    Column("AvailabilityZone", "text", "recommended"),
    _mandatory("BilledCost", "decimal"),
    _mandatory("BillingAccountId", "text"),
    Column("BillingAccountName", "text", "mandatory"),
    _conditional("BillingAccountType", since="1.2"),
    _mandatory("BillingCurrency", "text"),
    _mandatory("BillingPeriodEnd", "time"),
    _mandatory("BillingPeriodStart", "time"),
    _conditional("CapacityReservationId", since="1.1"),
    Column("CapacityReservationStatus", "text", "conditional", since="1.1", allowed=STATES),
    _mandatory("ChargeCategory", "text", ("Usage", "Purchase", "Tax", "Credit", "Adjustment")),
    Column("ChargeClass", "text", "mandatory", allowed=("Correction",)),
    Column("ChargeDescription", "text", "mandatory"),
    Column(
        "ChargeFrequency",
        "text",
        "recommended",
        nullable=False,
        allowed=("One-Time", "Recurring", "Usage-Based"),
    ),
    _mandatory("ChargePeriodEnd", "time"),
    _mandatory("ChargePeriodStart", "time"),
    Column("CommitmentDiscountCategory", "text", "conditional", allowed=("Spend", "Usage")),
    _conditional("CommitmentDiscountId"),
    _conditional("CommitmentDiscountName"),
    _conditional("CommitmentDiscountQuantity", "decimal", "1.1"),
    Column("CommitmentDiscountStatus", "text", "conditional", allowed=STATES),
    _conditional("CommitmentDiscountType"),
    _conditional("CommitmentDiscountUnit", since="1.1"),
    _conditional("ConsumedQuantity", "decimal"),
    _conditional("ConsumedUnit"),
    _mandatory("ContractedCost", "decimal"),
    _conditional("ContractedUnitPrice", "decimal"),
    _mandatory("EffectiveCost", "decimal"),
    Column("InvoiceId", "text", "recommended", since="1.2"),
    _mandatory("InvoiceIssuerName", "text"),
    _mandatory("ListCost", "decimal"),
    _conditional("ListUnitPrice", "decimal"),
    Column(
        "PricingCategory",
        "text",
        "conditional",
        allowed=("Standard", "Dynamic", "Committed", "Other"),
    ),
    Column("PricingCurrency", "text", "conditional", nullable=False, since="1.2"),
    _conditional("PricingCurrencyContractedUnitPrice", "decimal", "1.2"),
    Column("PricingCurrencyEffectiveCost", "decimal", "conditional", nullable=False, since="1.2"),
    _conditional("PricingCurrencyListUnitPrice", "decimal", "1.2"),
    Column("PricingQuantity", "decimal", "mandatory"),
    Column("PricingUnit", "text", "mandatory"),
    _mandatory("ProviderName", "text"),
    _mandatory("PublisherName", "text"),
    _conditional("RegionId"),
    _conditional("RegionName"),
    _conditional("ResourceId"),
    _conditional("ResourceName"),
    _conditional("ResourceType"),
    _mandatory("ServiceCategory", "text", tuple(SUBCATEGORIES)),
    _mandatory("ServiceName", "text"),
    Column(
        "ServiceSubcategory",
        "text",
        "recommended",
        nullable=False,
        since="1.1",
        allowed=tuple(name for names in SUBCATEGORIES.values() for name in names),
    ),
    _conditional("SkuId"),
    _conditional("SkuMeter", since="1.1"),
    _conditional("SkuPriceDetails", "map", "1.1"),
    _conditional("SkuPriceId"),
    _conditional("SubAccountId"),
    _conditional("SubAccountName"),
    _conditional("SubAccountType", since="1.2"),
    _conditional("Tags", "map"),
)

OWN: tuple[Column, ...] = (
    Column("x_RowId", "text", "custom", nullable=False),
    Column("x_Source", "text", "custom", nullable=False, allowed=("metered", "bill", "opencost")),
    Column("x_Kind", "text", "custom"),
    Column("x_Estimated", "flag", "custom", nullable=False),
    Column("x_Unpriced", "flag", "custom"),
    Column("x_CarbonKilograms", "decimal", "custom"),
    Column("x_Accelerators", "decimal", "custom"),
    Column("x_AcceleratorUse", "decimal", "custom"),
    Column("x_Site", "text", "custom"),
    Column("x_Project", "text", "custom"),
    Column("x_Team", "text", "custom"),
    Column("x_Model", "text", "custom"),
    Column("x_Version", "text", "custom"),
    Column("x_Environment", "text", "custom"),
    Column("x_Run", "text", "custom"),
    Column("x_Step", "text", "custom"),
)
"""`x_RowId` is the same for the same row wherever it is made; `x_Kind` is what a metered row is
about; where `x_Unpriced` is true nobody knows the price, and the costs are 0 only because they may
not be null; `x_Accelerators` is how many a machine has, and `x_AcceleratorUse` the mean share of
them that was used, 0 to 1, null where nobody knows it; the last eight repeat tags, so that a query
need not read JSON."""

COLUMNS: tuple[Column, ...] = FOCUS + OWN
TAGGED: Mapping[str, str] = {
    column.name.removeprefix("x_").lower(): column.name for column in OWN[-8:]
}
"""Key of a tag → the column of ours that repeats it."""


def schema() -> dict[str, pl.DataType]:
    """Of every frame and file of rows, in this order."""
    return {column.name: TYPES[column.kind] for column in COLUMNS}


def frame_of(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Columns that a row does not have are null in it. Raises a polars error for a value of another
    type."""
    return pl.DataFrame(list(rows), schema=schema())
