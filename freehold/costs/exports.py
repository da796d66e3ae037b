"""What providers' FOCUS exports are known to do otherwise than the specification says.

Sources: AWS Data Exports, table dictionary «FOCUS 1.0 with AWS columns» and its compliance gaps,
«FOCUS 1.2 with AWS columns» and the notes on migrating to it; Microsoft Cost Management, FOCUS
conformance summary and data set metadata (1.0-preview, 1.0, 1.2-preview); Google Cloud, the guide
to the FOCUS view for BigQuery (v1) and the structure of the FOCUS export; FOCUS's change log for
what 1.0-preview called otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Export:
    """A provider's habits. All of them allow; none of them asks for anything."""

    provider: str
    """As it is called once read."""
    names: tuple[str, ...] = ()
    """What ProviderName may say."""
    empty: tuple[str, ...] = ()
    """Texts that stand for nothing."""
    fills: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column → where its value comes from when it is absent or null: columns, then, after `=`, a
    text."""
    absent: tuple[str, ...] = ()
    """Mandatory columns that may be missing and stay null."""
    naive: bool = False
    """Times of Parquet files without a zone are UTC. A text must say its zone in any case."""
    last_day: bool = False
    """BillingPeriodEnd is the last day of the period, not the first moment after."""
    late_days: int = 0
    """How long before its billing period a charge may begin."""
    strange: tuple[str, ...] = ()
    """Columns whose values may be none of those that FOCUS lists."""


COSTS = {
    "ContractedCost": ("x_ContractedCost", "x_OnDemandCost", "ListCost", "EffectiveCost"),
    "ListCost": ("x_ListCost", "ContractedCost", "x_OnDemandCost", "EffectiveCost"),
}

EXPORTS: tuple[Export, ...] = (
    Export(
        provider="AWS",
        names=("aws", "amazon web services", "amazon web services, inc."),
        fills={
            "InvoiceIssuerName": ("ProviderName",),
            "PublisherName": ("ProviderName",),
            **COSTS,
        },
        naive=True,
    ),
    Export(
        provider="Microsoft",
        names=("microsoft", "microsoft azure", "azure"),
        empty=("-2", "unassigned"),
        fills={
            "InvoiceIssuerName": ("ProviderName",),
            "InvoiceId": ("x_InvoiceId",),
            "PublisherName": ("=Microsoft",),
            "ServiceName": ("x_SkuMeterCategory", "x_ResourceType", "=Unassigned"),
            "ServiceCategory": ("=Other",),
            **COSTS,
        },
        naive=True,
    ),
    Export(
        provider="Google Cloud",
        names=("google cloud", "google", "gcp"),
        fills={
            "InvoiceIssuerName": ("ProviderName",),
            "PublisherName": ("ProviderName",),
            "ServiceCategory": ("=Other",),
            **COSTS,
        },
        absent=("BillingAccountName", "ChargeClass"),
        naive=True,
        last_day=True,
        late_days=31,
        strange=("ServiceCategory", "ServiceSubcategory"),
    ),
)

STRICT = Export(provider="")
"""Of a provider that is not known: what the specification says holds."""

PREVIEW_NAMES: Mapping[str, str] = {
    "Provider": "ProviderName",
    "Publisher": "PublisherName",
    "InvoiceIssuer": "InvoiceIssuerName",
    "Region": "RegionId",
    "UsageQuantity": "ConsumedQuantity",
    "UsageUnit": "ConsumedUnit",
}
"""What 0.5 and 1.0-preview called a column → its name since 1.0."""
PREVIEW_ABSENT = ("ChargeClass",)
"""Mandatory since 1.0, not there before."""
PREVIEW_FILLS = {"ContractedCost": COSTS["ContractedCost"]}
SUBCATEGORY = "ChargeSubcategory"
"""A column that 1.0 dropped: its values went to CommitmentDiscountStatus and ChargeCategory."""
PREVIEW_WORDS: Mapping[str, Mapping[str, str]] = {
    "PricingCategory": {"on-demand": "Standard", "commitment-based": "Committed"},
}
"""Column → what a value was called → what it is called since 1.0."""


def export_of(provider: str | None) -> Export:
    """By what ProviderName says; STRICT for a provider that is not known."""
    said = (provider or "").strip().lower()
    return next((export for export in EXPORTS if said in export.names), STRICT)
