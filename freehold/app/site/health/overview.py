"""`freehold sites`: who there is, what of each is here, and whom this site believes."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from freehold.app.site.health.finding import counted
from freehold.app.site.health.logs import LogStanding, survey_logs
from freehold.app.site.health.stores import reach, reached_by
from freehold.app.site.health.versions import releases_at
from freehold.app.site.health.waiting import Patience, together
from freehold.app.site.opening import Site
from freehold.app.site.stores import open_store
from freehold.domain.errors import FreeholdError
from freehold.ports.object_store import ObjectStore
from freehold.replication.claims import conflicts_of

Tell = Callable[[str], None]


@dataclass(frozen=True)
class SiteRow:
    name: str
    store: str
    private: bool
    jurisdiction: str
    here: bool
    """Whether it is the site of this checkout."""
    reach: str
    """`reached`, `not ours` (private to another site), `none`, or what went wrong."""
    freehold: Sequence[str] = ()
    """Releases that run there, as its logs say; empty if they do not."""

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "freehold": list(self.freehold)}


@dataclass(frozen=True)
class Overview:
    site: str
    writer: str
    key: str
    """Fingerprint of this site's own key."""
    sites: Sequence[SiteRow]
    logs: Sequence[LogStanding]
    conflicts: int
    """Open ones."""
    reached: int
    """Stores that answered."""

    @property
    def strangers(self) -> list[LogStanding]:
        return [log for log in self.logs if log.belief == "not believed"]

    @property
    def trustworthy(self) -> LogStanding | None:
        """The first that a person could believe: of a site of the project, with a key."""
        names = {one.name for one in self.sites}
        return next((log for log in self.strangers if log.key and log.site in names), None)

    @property
    def releases(self) -> list[str]:
        """Of Freehold, each once: more than one is worth a warning."""
        return sorted({release for one in self.sites for release in one.freehold})

    @property
    def moves(self) -> bool:
        """Whether a meeting would bring or take something."""
        logs = [log for log in self.logs if log.belief != "not believed"]
        return any(log.behind or (log.unpublished and self.reached) for log in logs)

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "site": self.site,
            "writer": self.writer,
            "key": self.key,
            "sites": [one.as_json() for one in self.sites],
            "logs": [one.as_json() for one in self.logs],
            "conflicts": self.conflicts,
        }


def look_at_sites(
    site: Site,
    tell: Tell = lambda _: None,
    patience: Patience | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Overview:
    """Stores that do not answer are named, and what is held is told all the same."""
    patience = patience or Patience()
    names = reached_by(site.project)
    if names:
        tell(f"asking {counted(len(names), 'store')}: {', '.join(names)}")

    def ask(name: str) -> ObjectStore | FreeholdError:
        try:
            spec = site.project.spec.sites[name].store
            reach(name, spec, patience, environment)
            return open_store(spec, name, environment)
        except FreeholdError as error:
            return error

    answers = dict(zip(names, together([partial(ask, name) for name in names]), strict=True))
    stores = {name: one for name, one in answers.items() if not isinstance(one, FreeholdError)}
    logs, failed = survey_logs(site, stores, patience)
    wrong = {name: one for name, one in answers.items() if isinstance(one, FreeholdError)} | failed
    return Overview(
        site=site.name,
        writer=site.ledger.writer,
        key=site.signer.public.fingerprint,
        sites=_rows(site, names, wrong),
        logs=logs,
        conflicts=sum(one.open for one in conflicts_of(site.state)),
        reached=len(stores) - len(failed),
    )


def _rows(site: Site, reached: Sequence[str], wrong: Mapping[str, FreeholdError]) -> list[SiteRow]:
    specs, releases = site.project.spec.sites, releases_at(site)
    if not specs:
        return [SiteRow(site.name, "", False, "", True, "none", releases[site.name])]
    rows = []
    for name, one in specs.items():
        reach = "reached" if name in reached else "not ours"
        if name in wrong:
            reach = f"[{wrong[name].code}] {wrong[name].what}"
        here = name == site.name
        told = (one.store.at, one.private, one.jurisdiction, here, reach, releases[name])
        rows.append(SiteRow(name, *told))
    return rows
