"""What plans said that runs would cost, as rows that are summed like those of what was spent."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from freehold.costs.focus import TAGGED, frame_of
from freehold.costs.usage import PROVIDERS, SERVICES, periods_of

INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A step of a plan that was carried out, or what the plan counted beside its steps."""

    site: str
    provider: str
    region: str
    machine: str
    currency: str
    money: float
    carbon: float | None
    tags: Mapping[str, str]
    """With the run, and the step where it is one's."""
    at: datetime
    """When the run was started, UTC: a step stands on that day, whenever it came to run."""

    def row(self) -> dict[str, Any]:
        service = SERVICES["step" if self.tags.get("step") else "transfer"]
        tags = {key: value for key, value in sorted(self.tags.items()) if value}
        provider = PROVIDERS.get(self.provider, self.provider)
        return {
            **periods_of(self.at, self.at + INSTANT),
            "BilledCost": self.money,
            "EffectiveCost": self.money,
            "BillingCurrency": self.currency,
            "BillingAccountId": tags.get("project") or provider,
            "ProviderName": provider,
            "RegionId": self.region or None,
            "ServiceCategory": service.category,
            "ServiceName": service.name,
            "SkuId": self.machine or None,
            "Tags": json.dumps(tags, ensure_ascii=False),
            "x_CarbonKilograms": self.carbon,
            "x_Kind": "step" if self.tags.get("step") else "transfer",
            "x_Source": "metered",
            "x_Unpriced": False,
            **{TAGGED[key]: value for key, value in tags.items() if key in TAGGED},
        }


def frame_of_expected(steps: Iterable[Expected]) -> pl.DataFrame:
    """With the schema of `focus`; never written anywhere."""
    return frame_of(one.row() for one in steps)
