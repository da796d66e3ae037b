"""What a twin's process is told when it starts, and the site that it then is."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from freehold.app.site.opening import Site, open_site
from freehold.domain.project import SiteSpec, StoreSpec

FOLDER = "file://"


@dataclass(frozen=True)
class Orders:
    root: str
    """The twin's own copy of the project."""
    site: str
    model: str
    stores: Mapping[str, str]
    """Site → location of its store in this drill, as this twin sees it."""
    keys: Mapping[str, str]
    """Site → fingerprint of its twin's key."""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def read(cls, path: Path) -> "Orders":
        return cls(**json.loads(path.read_text()))


def mark_of(drill: str, site: str) -> str:
    """What stands in every address of a site's store in a drill, and in no other."""
    return f"{drill}-{site}"


def drill_location(store: StoreSpec, drill: str, site: str) -> str:
    return f"{store.at.rstrip('/')}/drills/{mark_of(drill, site)}"


def open_twin(orders: Orders) -> Site:
    """The project file stays as it is: stores and keys are put in its place here, and no tracker
    hears of a drill."""
    site = open_site(Path(orders.root), site=orders.site)
    spec = site.project.spec
    sites = {name: _at_drill(one, name, orders) for name, one in spec.sites.items()}
    return replace(
        site, project=replace(site.project, spec=replace(spec, sites=sites, tracking=None))
    )


def _at_drill(spec: SiteSpec, name: str, orders: Orders) -> SiteSpec:
    return replace(
        spec,
        store=replace(spec.store, at=orders.stores[name]),
        keys=(*spec.keys, orders.keys[name]),
    )
