"""Which way data may go from one site to another: by a store that both reach and no label bars."""

from collections.abc import Iterable, Mapping

from freehold.domain.project import SiteSpec
from freehold.replication.travel import barred, barred_from_store


def store_between(origin: str, place: str, sites: Mapping[str, SiteSpec]) -> str | None:
    """The site in whose store `origin` leaves things for `place` when all stores answer."""
    if not sites[place].private or origin == place:
        return place
    public = [name for name, one in sites.items() if not one.private]
    return origin if origin in public else next(iter(public), None)


def no_way(
    labels: Mapping[str, str], origins: Iterable[str], place: str, sites: Mapping[str, SiteSpec]
) -> str:
    """Empty if data with these labels may go from one of the sites where it lies to `place`, else
    the rule that forbids it, in words for people. What lies there already goes no way."""
    if rule := barred(labels, sites[place]):
        return f"{place}: {rule}"
    said = "it lies at no site that is known here"
    for origin in origins:
        if origin == place:
            return ""
        if origin not in sites:
            continue
        store = store_between(origin, place, sites)
        if store is None:
            said = f"{origin} and {place} reach no store together"
        elif rule := barred_from_store(labels, sites[store].store, sites):
            said = f"on the way from {origin} to {place}: {rule}"
        else:
            return ""
    return said
