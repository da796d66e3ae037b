"""`freehold bills`: those that hold."""

from datetime import UTC, datetime
from typing import Any

from freehold.app.site.opening import Site
from freehold.catalog.spending import bills


def kept_bills(site: Site) -> list[dict[str, Any]]:
    """By period, provider and account; of all sites."""
    return [
        {
            "provider": bill.provider,
            "account": bill.account,
            "period": bill.period,
            "currency": bill.currency,
            "rows": bill.rows,
            "at": datetime.fromtimestamp(bill.wall / 1e6, UTC).isoformat(timespec="seconds"),
            "site": bill.site,
            "artifact": bill.artifact,
            "digest": bill.digest,
            "replaces": bill.replaces,
        }
        for bill in bills(site.state)
    ]
