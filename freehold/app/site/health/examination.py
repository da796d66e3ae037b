"""`freehold doctor`: looks at everything at once, and changes nothing that lasts."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from freehold.app.project.reading import OpenProject, find_root, read_project
from freehold.app.site.health.clocks import examine_clocks
from freehold.app.site.health.disk import RoomOf, examine_disk, room_of
from freehold.app.site.health.expiry import examine_key
from freehold.app.site.health.finding import Finding, counted, of_error, worst
from freehold.app.site.health.history import (
    examine_conflicts,
    examine_facts,
    examine_ledger,
    examine_logs,
)
from freehold.app.site.health.logs import survey_logs
from freehold.app.site.health.stores import Examined, examine_store, reached_by
from freehold.app.site.health.versions import (
    examine_agent,
    examine_layout,
    examine_releases,
    examine_versions,
)
from freehold.app.site.health.waiting import Patience, together, within
from freehold.app.site.opening import Site, key_path, open_site, wall_clock
from freehold.domain.errors import FreeholdError
from freehold.ports.clock import Clock
from freehold.ports.object_store import ObjectStore

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Surroundings:
    """What a site stands on, and what a test puts in its place."""

    clock: Clock = wall_clock
    room: RoomOf = room_of
    patience: Patience = field(default_factory=Patience)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True)
class Examination:
    site: str
    findings: Sequence[Finding]

    @property
    def exit_code(self) -> int:
        """0 if nothing is bad, 3 if all that is bad is out of reach, else 1."""
        return worst(self.findings)

    def count(self, standing: str) -> int:
        return sum(one.standing == standing for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "site": self.site,
            "findings": [one.as_json() for one in self.findings],
            "counts": {kind: self.count(kind) for kind in ("good", "warning", "bad")},
        }


def examine(
    start: Path | None = None,
    site: str = "",
    tell: Tell = lambda _: None,
    surroundings: Surroundings | None = None,
) -> Examination:
    """What fails is in the answer; a site that cannot be opened is, too, and the rest is looked at.

    Raises only for a project that cannot be read: ProjectInvalid, NotFound.
    """
    around = surroundings or Surroundings()
    project = read_project(find_root(start or Path.cwd()), site)
    name = project.spec.site
    tell(f"looking at {name}")
    findings = [examine_versions()]
    stores, of_stores = _ask_stores(project, tell, around)
    try:
        opened = open_site(project.root, around.clock, name)
    except FreeholdError as error:
        findings.append(of_error("site", name, error, "freehold audit verify"))
        findings += [*_on_disk(project, around), *of_stores]
        return Examination(name, findings)
    with opened:
        findings += [*examine_releases(opened), examine_layout(opened)]
        findings.append(examine_agent(opened.locks, name))
        findings += [*_on_disk(project, around), *examine_ledger(opened), *of_stores]
        tell("comparing histories and clocks")
        findings += _on_history(opened, stores, around)
    return Examination(name, findings)


def _ask_stores(
    project: OpenProject, tell: Tell, around: Surroundings
) -> tuple[dict[str, ObjectStore], list[Finding]]:
    """All at once. Those that answer, by site."""
    names = reached_by(project)
    if names:
        tell(f"asking {counted(len(names), 'store')}: {', '.join(names)}")

    def ask(name: str) -> Examined:
        spec = project.spec.sites[name].store
        found = examine_store(name, spec, around.clock, around.patience, around.environment)
        tell(f"  {name}: {found.findings[0].what}")
        return found

    examined = together([partial(ask, name) for name in names])
    stores = {
        name: found.store
        for name, found in zip(names, examined, strict=True)
        if found.store is not None
    }
    return stores, [one for found in examined for one in found.findings]


def _on_disk(project: OpenProject, around: Surroundings) -> list[Finding]:
    key = examine_key(key_path(project.state), around.clock() / 1e6)
    try:
        disk = within(
            around.patience.whole,
            "the disk of this site's state",
            lambda: examine_disk(project.state, around.room),
        )
    except (FreeholdError, OSError) as error:
        what = "the disk of this site's state cannot be looked at"
        hint = "see whether the disk is mounted and sound: `dmesg` tells of its faults"
        return [Finding("disk", "bad", what, why=str(error), hint=hint), key]
    return [disk, key]


def _on_history(
    site: Site, stores: Mapping[str, ObjectStore], around: Surroundings
) -> list[Finding]:
    logs, failed = survey_logs(site, stores, around.patience)
    findings = [of_error("logs", name, error) for name, error in failed.items()]
    findings += examine_logs(site, logs, len(stores) - len(failed))
    findings += examine_clocks(site.ledger, site.name, site.clock())
    return [*findings, examine_facts(site), examine_conflicts(site)]
