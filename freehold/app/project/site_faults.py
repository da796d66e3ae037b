"""What of a site's machines and figures can be seen to be wrong in the project file alone."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from math import isfinite

from freehold.domain.errors import Fault
from freehold.domain.project import MachineSpec, Project, SiteSpec
from freehold.domain.size import bytes_of
from freehold.planning.waiting import HOURS

PROVIDERS = ("aws", "azure", "gcp")
POOLS = ("cpus", "accelerators")
Where = Callable[..., str]
"""The place of a value, by its path."""


def placement_faults(spec: Project, where: Where) -> Iterator[Fault]:
    if not (len(spec.currency) == 3 and spec.currency.isalpha() and spec.currency.isupper()):
        what = f"'{spec.currency}' is no currency: three capital letters, as USD"
        yield Fault("project.wrong-value", what, where("currency"))
    placement = spec.placement
    for name in ("carbon_price", "deadline_hours", "budget", "assumed_seconds"):
        value = getattr(placement, name)
        if not (isfinite(value) and value >= 0):
            what = f"'placement.{name}' must be at least 0"
            yield Fault("project.wrong-value", what, where("placement", name))
    for name, site in spec.sites.items():
        yield from _of_site(where, name, site, bool(spec.prices))


def _of_site(where: Where, name: str, site: SiteSpec, has_prices: bool) -> Iterator[Fault]:
    def fault(what: str, *path: str, hint: str = "") -> Fault:
        return Fault("project.wrong-value", what, where("sites", name, *path), hint)

    # The project's own prices may know another; whether they do is seen where they are read.
    if site.provider and site.provider not in PROVIDERS and not has_prices:
        close = get_close_matches(site.provider, PROVIDERS, n=1) or PROVIDERS
        hint = (
            f"known: {', '.join(close)}; leave it out for a place of your own, or name a file of"
            " your own `prices:` that has it"
        )
        yield fault(f"there is no provider '{site.provider}'", "provider", hint=hint)
    if site.provider and not site.region:
        yield fault("a provider's site has a region", "provider", hint="add `region:`")
    for pool, units in site.quota.items():
        if pool not in POOLS:
            yield fault(f"there is no quota of '{pool}'", "quota", pool, hint="cpus, accelerators")
        if not (isfinite(units) and units >= 0):
            hint = "it is at least 0; leave it out where there is none"
            yield fault(f"a quota of {units:g} {pool} is below 0", "quota", pool, hint=hint)
    hours = site.carbon_hours
    if hours and (len(hours) != HOURS or not all(isfinite(one) and one >= 0 for one in hours)):
        hint = "grams for each hour of the day in UTC; leave it out for one figure"
        yield fault(f"'carbon_hours' are {HOURS} numbers of at least 0", "carbon_hours", hint=hint)
    if site.carbon is not None and not (isfinite(site.carbon) and site.carbon >= 0):
        hint = "grams of CO2e a kWh; leave it out for the region's"
        yield fault("'carbon' is at least 0", "carbon", hint=hint)
    kept = site.storage_price
    if kept is not None and not (isfinite(kept) and kept > 0):
        hint = "money for a GB a month, above 0; leave it out where it is not known"
        yield fault(f"a storage price of {kept:g}", "storage_price", hint=hint)
    for machine, one in site.machines.items():
        for what, key, hint in _of_machine(one, bool(site.provider)):
            yield fault(what, "machines", machine, key, hint=hint)


def _of_machine(one: MachineSpec, provided: bool) -> Iterator[tuple[str, str, str]]:
    """What, key, hint."""
    for key in ("price", "spot_price"):
        price = getattr(one, key)
        if price is not None and not (isfinite(price) and price > 0):
            hint = "a price is above 0; leave it out for the provider's own"
            yield f"a {key.replace('_', ' ')} of {price:g} an hour", key, hint
    for key in ("cpus", "accelerators", "interruptions", "count", "boot_seconds", "watts"):
        value = getattr(one, key)
        if value is not None and not (isfinite(value) and value >= 0):
            yield f"'{key}' is {value:g}", key, "it is at least 0"
    if one.memory:
        try:
            bytes_of(one.memory)
        except ValueError as exc:
            yield str(exc), "memory", "write it like 16 GiB"
    if one.price is not None and one.owned is not None:
        yield "both 'price' and 'owned' are given", "owned", "the price is derived from `owned`"
    if one.owned is not None and one.spot:
        yield "a machine of one's own has no spot price", "spot", ""
    if one.accelerators and not one.accelerator and not provided:
        yield "it has accelerators of no kind", "accelerators", "add `accelerator:`, as a100-80gb"
    if not provided:
        if not one.cpus or not one.memory:
            yield "a machine of one's own says its cpus and memory", "cpus", ""
        if one.price is None and one.owned is None:
            hint = "add `price:` per hour, or `owned:` from which it is derived"
            yield "it has no price", "price", hint
        if one.spot and one.spot_price is None:
            yield "it has no spot price", "spot_price", ""
