"""Where data with labels may go. What no rule allows is forbidden.

Of a label with several values (`residency` → "EU,US"), each must be allowed.
"""

from collections.abc import Mapping

from freehold.domain.labels import RESIDENCY, values_of
from freehold.domain.project import SiteSpec, StoreSpec


def barred(labels: Mapping[str, str], site: SiteSpec) -> str:
    """Empty if it may go there, else the rule that forbids it, in words for people."""
    for name, values in sorted(labels.items()):
        for value in values_of(values):
            if rule := _barred(name, value, site):
                return rule
    return ""


def _barred(name: str, value: str, site: SiteSpec) -> str:
    label = f"{name}={value}" if value else name
    if name == RESIDENCY:
        if not site.jurisdiction:
            return f"{label}: the site has no jurisdiction"
        if site.jurisdiction != value:
            return f"{label}: the site's jurisdiction is {site.jurisdiction}"
    elif name not in site.accepts and label not in site.accepts:
        return f"{label}: the site does not accept it"
    return ""


def barred_from_store(
    labels: Mapping[str, str], store: StoreSpec, sites: Mapping[str, SiteSpec]
) -> str:
    """As `barred`, for a store: every site whose store it is must allow it. Labelled data goes to
    no store that is no site's."""
    place = _place(store)
    owners = {name: site for name, site in sites.items() if _place(site.store) == place}
    if labels and not owners:
        return f"{store.at} is no site's store"
    for name, site in sorted(owners.items()):
        if rule := barred(labels, site):
            return f"{name}: {rule}"
    return ""


def _place(store: StoreSpec) -> tuple[str, str]:
    return store.at.rstrip("/"), store.endpoint.rstrip("/")
