"""The store that reports of a bundle go to, as a person names it."""

import os

from freehold.app.site.opening import Site
from freehold.app.site.stores import open_store
from freehold.domain.errors import Refused
from freehold.domain.project import StoreSpec
from freehold.ports.object_store import ObjectStore


def reports_spec(site: Site, named: str) -> StoreSpec:
    """`named`: a site, for its store, or an address; empty for none.

    Raises Refused `bundle.encrypted-store`: a bundle has no key to encrypt with.
    """
    sites = site.project.spec.sites
    known = [sites[named]] if named in sites else []
    known += [one for one in sites.values() if one.store.at.rstrip("/") == named.rstrip("/")]
    spec = known[0].store if known else StoreSpec(named)
    if named and spec.encryption:
        raise Refused(
            f"reports cannot go to {spec.at}",
            why="what lies there is encrypted, and a bundle has no key to encrypt with",
            hint="name another store: --reports URL",
            code="bundle.encrypted-store",
        )
    return spec


def open_reports(site: Site, named: str) -> ObjectStore:
    """Secrets are those of the site whose store it is, else FREEHOLD_REPORTS_<NAME>. Raises as
    `reports_spec` and `open_store`."""
    owner = named if named in site.project.spec.sites else "reports"
    return open_store(reports_spec(site, named), owner, os.environ)
