"""The carbon of a site's grid."""

from collections.abc import Mapping

from freehold.domain.offer import Figure
from freehold.domain.project import Project, SiteSpec
from freehold.ports.price_source import PriceSource


def grid_of(site: SiteSpec, source: PriceSource) -> Figure | None:
    """g/kWh: what the project says, else the table of regions."""
    if site.carbon is not None:
        return Figure(site.carbon, "g/kWh", "the project file, `carbon`")
    if site.carbon_hours:
        mean = sum(site.carbon_hours) / len(site.carbon_hours)
        return Figure(mean, "g/kWh", "the project file, average of `carbon_hours`")
    return source.grid_carbon(site.provider, site.region) if site.provider else None


def profiles_of(spec: Project) -> Mapping[str, tuple[float, ...]]:
    """By site, g/kWh of each hour of a day, where the project says them."""
    return {name: site.carbon_hours for name, site in spec.sites.items() if site.carbon_hours}
