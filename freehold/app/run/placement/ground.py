"""What a project's sites offer, with the figures of its price source and its own."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from freehold.app.costs.grid import grid_of
from freehold.app.costs.offers import offers_of, price_source
from freehold.app.costs.storing import storage_price_of
from freehold.app.project.reading import OpenProject
from freehold.app.site.ways import store_between
from freehold.domain.canonical import digest_of
from freehold.domain.errors import Fault, NotFound, ProjectInvalid
from freehold.domain.offer import Figure
from freehold.domain.project import Project, SiteSpec
from freehold.planning.ground import Ground, Way
from freehold.ports.price_source import PriceSource

NETWORK = Figure(
    0.001,
    "kWh/GB",
    "Cloud Carbon Footprint, methodology, networking: 0.001 kWh/GB",
    "2024-05-01",
)
SECONDS = Figure(8.0, "s/GB", "assumed: 1 Gbit/s between any two sites")


def is_placed(spec: Project) -> bool:
    """Whether plans choose: some site states its machines."""
    return any(site.machines for site in spec.sites.values())


def ground_of(project: OpenProject) -> Ground:
    """Raises ProjectInvalid with every fault of machines, regions and prices."""
    spec = project.spec
    source = price_source(project)
    faults: list[Fault] = []
    missing: list[str] = []
    offers = {}
    unknown_regions = dict(_unknown_regions(project, source))
    faults += unknown_regions.values()
    for name, site in spec.sites.items():
        if name in unknown_regions:
            continue
        found, wrong = offers_of(project, name, site, source)
        offers[name] = tuple(found)
        faults += wrong
        missing += [f"{name} {one.name}: its carbon" for one in found if one.carbon is None]
    _require_none(faults)
    ways, unknown = _ways(spec, source)
    missing += unknown
    storage = {}
    for name in spec.sites:
        price = storage_price_of(project, name, source)
        if price is not None:
            storage[name] = price
        else:
            missing.append(f"{name}: what keeping a GB costs")
    return Ground(
        here=spec.site,
        sites=tuple(spec.sites),
        offers=offers,
        ways=ways,
        storage=storage,
        quotas=dict(_quotas(spec)),
        currency=spec.currency,
        keep_days=float(spec.retention.runs_days),
        keep_source=_kept(project),
        replicas={
            name: copied
            for name, site in spec.sites.items()
            if (copied := frozenset(site.keeps) & {"aliases", "models", "results"})
        },
        missing=tuple(missing),
    )


def _kept(project: OpenProject) -> str:
    path = ("retention", "runs_days")
    if project.says(*path):
        return f"{project.where(*path)}, `runs_days`"
    return "assumed: the default of `retention.runs_days`, which freehold.yaml does not state"


def _require_none(faults: list[Fault]) -> None:
    faults = list(dict.fromkeys(faults))
    if faults:
        raise ProjectInvalid(
            f"{len(faults)} fault{'s'[: len(faults) > 1]} in what the sites offer",
            faults=faults,
            hint="mend them and run `freehold check` again",
            code="plan.offers",
        )


def _unknown_regions(project: OpenProject, source: PriceSource) -> Iterator[tuple[str, Fault]]:
    for name, site in project.spec.sites.items():
        if not site.provider:
            continue
        try:
            source.storage(site.provider, site.region)
        except NotFound as error:
            where = project.where("sites", name, "region")
            hint = f"{error.why}; {error.hint}"
            yield name, Fault(error.code, f"{name}: {error.what}", where, hint)


def prices_digest(project: OpenProject) -> str:
    return price_source(project).digest()


def sites_digest(spec: Project) -> str:
    """Of all that the project file says about sites and placement."""
    placement = spec.placement
    return digest_of({"sites": repr(sorted(spec.sites.items())), "placement": repr(placement)})


def _quotas(spec: Project) -> Iterator[tuple[str, float]]:
    for name, site in spec.sites.items():
        for pool, units in site.quota.items():
            yield f"{name} {pool}", units
        for machine, one in site.machines.items():
            if one.count:
                yield f"{name}/{machine}", float(one.count)


def _ways(spec: Project, source: PriceSource) -> tuple[dict[tuple[str, str], Way], list[str]]:
    """By the store of either end; between two whose stores are private by that of a third, at the
    price of both ways; there is none where no store is reached by both."""
    found: dict[tuple[str, str], Way] = {}
    missing: list[str] = []
    for origin, one in spec.sites.items():
        for destination in spec.sites:
            store = store_between(origin, destination, spec.sites)
            if origin == destination or store is None:
                continue
            stops = [origin, *([store] if store not in (origin, destination) else []), destination]
            prices = []
            for start, end in pairwise(stops):
                price = _price(spec, source, start, end)
                if price is None:
                    missing.append(f"{start} to {end}: what a GB costs")
                    price = Figure(0.0, f"{spec.currency}/GB", "unknown, and so not counted")
                prices.append(price)
            carbon = _network_carbon(one, source)
            found[origin, destination] = Way(_summed(prices), carbon, SECONDS)
    return found, list(dict.fromkeys(missing))


def _price(spec: Project, source: PriceSource, origin: str, destination: str) -> Figure | None:
    """None where it is not known in the project's currency."""
    one, other = spec.sites[origin], spec.sites[destination]
    money = source.transfer((one.provider, one.region), (other.provider, other.region))
    if money is None or (money.value and not money.unit.startswith(spec.currency)):
        return None
    return money


def _summed(prices: Sequence[Figure]) -> Figure:
    if len(prices) == 1:
        return prices[0]
    told = " + ".join(f"{one.value:g} ({one.source})" for one in prices)
    value = sum(one.value for one in prices)
    return Figure(value, prices[0].unit, f"by a third site's store: {told}", prices[0].date)


def _network_carbon(site: SiteSpec, source: PriceSource) -> Figure:
    """At the sender's grid; nothing where that is unknown."""
    grid = grid_of(site, source)
    if grid is None:
        return Figure(0.0, "kgCO2e/GB", "unknown grid, and so not counted")
    told = f"{NETWORK.value:g} kWh/GB ({NETWORK.source}) × {grid.value:g} g/kWh ({grid.source})"
    return Figure(NETWORK.value * grid.value / 1000, "kgCO2e/GB", told, grid.date)
