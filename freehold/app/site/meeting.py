"""The object stores in which this site meets the others."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from freehold.app.site.opening import Site
from freehold.app.site.stores import open_store
from freehold.domain.errors import (
    AdapterFailed,
    FreeholdError,
    ProjectInvalid,
    StorageFailed,
    Unreachable,
    WrongUsage,
)
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import LogFault
from freehold.replication.inspection import mendable

_SILENT = "storage.unreachable"


@dataclass
class Meeting:
    """Those stores that answer, by the site whose store it is. One that fails is left out from
    then on, and the others go on."""

    stores: dict[str, ObjectStore] = field(default_factory=dict)
    unreachable: dict[str, FreeholdError] = field(default_factory=dict)

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Whatever goes wrong with the store within ends only what is done with it."""
        try:
            yield
        except (StorageFailed, Unreachable, AdapterFailed) as error:
            self.stores.pop(name, None)
            self.unreachable[name] = error

    def answered(self, faults: Iterable[LogFault]) -> list[LogFault]:
        """The faults of what was read. A store that did not answer is not waited for again."""
        rest = []
        for fault in faults:
            if fault.kind == _SILENT:
                self.stores.pop(fault.store, None)
                self.unreachable[fault.store] = Unreachable(
                    fault.what,
                    why="it gave no answer while a log was read",
                    hint="`freehold doctor` looks at the store",
                    code=fault.kind,
                )
            else:
                rest.append(fault)
        return rest


def reached(site: Site) -> tuple[str, ...]:
    """Sites whose stores this one may use: its own first, and all that are not private."""
    sites = site.project.spec.sites
    others = [name for name, one in sites.items() if name != site.name and not one.private]
    return (*([site.name] if site.name in sites else []), *others)


def damaged(site: Site, faults: Iterable[LogFault]) -> set[tuple[str, str]]:
    """Writer and store of each damaged copy that an exchange mends if it is told to verify."""
    return mendable(site.ledger, faults)


def meet(site: Site) -> Meeting:
    """Opens the stores; talks to none of them yet. One whose address is wrong is left out as one
    that does not answer. Raises WrongUsage `site.none`."""
    if not site.project.spec.sites:
        raise WrongUsage(
            "this project has one site: there is nobody to meet",
            why="freehold.yaml has no `sites`",
            hint="name the places under `sites`, each with its store; the guide on sites shows how",
            code="site.none",
        )
    meeting = Meeting()
    for name in reached(site):
        spec = site.project.spec.sites[name].store
        try:
            with meeting.at(name):
                meeting.stores[name] = open_store(spec, name, os.environ)
        except (ProjectInvalid, WrongUsage) as error:
            meeting.unreachable[name] = error
    return meeting
