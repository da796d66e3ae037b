"""What keeping data at a site costs."""

from freehold.app.project.reading import OpenProject
from freehold.domain.offer import Figure
from freehold.ports.price_source import PriceSource

KEY = "storage_price"


def storage_price_of(project: OpenProject, site: str, source: PriceSource) -> Figure | None:
    """Money for a GB (10⁹ bytes) and month: what the project says of the site, else the table of
    regions; None where neither knows it in the project's currency. Raises NotFound for a provider's
    place that is not known."""
    spec, currency = project.spec.sites[site], project.spec.currency
    if spec.storage_price is not None:
        where = project.where("sites", site, KEY)
        return Figure(spec.storage_price, f"{currency}/GB/month", f"{where}, `{KEY}`")
    found = source.storage(spec.provider, spec.region) if spec.provider else None
    return found if found is not None and found.unit.startswith(f"{currency}/") else None
