"""Opens a project's site: what its verbs work with."""

import os
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from freehold.app import adapters
from freehold.app.project.reading import OpenProject, find_root, read_project
from freehold.app.site.keys import KeyRing, put_in_place
from freehold.app.site.people import People
from freehold.catalog import (
    budgets,
    bundles,
    checks,
    endpoint_events,
    metering,
    spending,
    traffic,
    versions,
)
from freehold.catalog.retention import holds
from freehold.delivery import standing as delivery
from freehold.domain.errors import Conflict, IntegrityError
from freehold.domain.fact import Draft, writer_name
from freehold.domain.numbering import Numbering
from freehold.domain.projection import State
from freehold.monitoring import assessments
from freehold.monitoring.proposals import PROPOSALS
from freehold.planning import applied
from freehold.ports.artifact_store import ArtifactStore
from freehold.ports.attachment_store import AttachmentStore
from freehold.ports.clock import Clock
from freehold.ports.ledger import MergingLedger
from freehold.ports.locks import Locks
from freehold.ports.object_store import ObjectStore
from freehold.ports.signer import Signer
from freehold.replication import asking, claims, installed, leases, trust
from freehold.running import projection as running

PROJECTIONS = (
    running.projection,
    applied.projection,
    versions.projection,
    bundles.projection,
    checks.projection,
    traffic.projection,
    spending.projection,
    metering.projection,
    budgets.projection,
    endpoint_events.projection,
    delivery.projection,
    assessments.projection,
    PROPOSALS,
    claims.projection,
    leases.projection,
    trust.projection,
    asking.projection,
    installed.projection,
    holds.projection,
)


LEDGER = "ledger.db"
"""In a site's folder."""
RELEASE = version("freehold")
"""That runs in this process."""
CLOCK_VARIABLE = "FREEHOLD_CLOCK_FILE"


def wall_clock() -> int:
    """Microseconds since 1970 UTC.

    For drills and tests, which must not wait for days: as many more as stand in the file that
    FREEHOLD_CLOCK_FILE names.
    """
    ahead = os.environ.get(CLOCK_VARIABLE)
    return time.time_ns() // 1000 + (int(Path(ahead).read_text()) if ahead else 0)


@dataclass(frozen=True)
class Site:
    """A project at the place where it is being worked on."""

    project: OpenProject
    ledger: MergingLedger
    objects: ObjectStore
    artifacts: ArtifactStore
    attachments: AttachmentStore
    signer: Signer
    locks: Locks
    clock: Clock
    people: People
    actor: str
    """Pseudonym of whoever runs this process."""

    @property
    def name(self) -> str:
        return self.project.spec.site

    @property
    def numbering(self) -> Numbering:
        """How this site numbers versions and releases beside the others."""
        names = self.project.site_names
        return Numbering(names.index(self.name), len(names))

    @property
    def folder(self) -> Path:
        return self.project.state

    @property
    def state(self) -> State:
        return self.ledger.state

    @property
    def key_path(self) -> Path:
        return key_path(self.folder)

    @property
    def keyring(self) -> KeyRing:
        """Public keys of logs that were taken."""
        return KeyRing(self.folder / "keys" / "known")

    @property
    def serving(self) -> Path:
        """What the endpoint reads."""
        return self.folder / "serving"

    def close(self) -> None:
        self.ledger.close()

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def key_path(folder: Path) -> Path:
    return folder / "keys" / "site.key"


def open_site(start: Path | None = None, clock: Clock = wall_clock, site: str = "") -> Site:
    """The site of the project in this folder or above it: the one that is named, or that the
    environment or the project file names.

    Raises ProjectInvalid, NotFound, IntegrityError (a key that others can read, a key that is
    not the ledger's).
    """
    project = read_project(find_root(start or Path.cwd()), site)
    folder = project.state
    _require_moved(project)
    key = key_path(folder)
    signer_class = adapters.embedded("signer")
    begun = (folder / LEDGER).exists()
    if begun and not key.exists():
        raise IntegrityError(
            "this site's key is gone",
            why=f"{key.relative_to(project.root)} is missing, though the ledger is there",
            hint="put the key back from where you keep it; a new key would be a new writer",
            code="key.missing",
        )
    signer, ledger = _signer_and_ledger(signer_class, project, clock)
    objects = adapters.embedded("object_store")(folder / "objects")
    people = People(folder / "people.json")
    opened = Site(
        project=project,
        ledger=ledger,
        objects=objects,
        artifacts=ArtifactStore(objects),
        attachments=AttachmentStore(objects, os.urandom),
        signer=signer,
        locks=adapters.embedded("locks")(folder / "locks"),
        clock=clock,
        people=people,
        actor=people.me(),
    )
    _begin(opened)
    return opened


def _require_moved(project: OpenProject) -> None:
    """Raises Conflict where the project had one site before it had several: its history must not
    be passed over in silence."""
    before = project.root / ".freehold"
    if project.spec.sites and (before / LEDGER).exists():
        kept = f".freehold/sites/{project.spec.site}"
        raise Conflict(
            "this project's history lies where it was when it had one site",
            why=".freehold/ledger.db is there, and freehold.yaml names several sites",
            hint=f"name its site in `sites` as it was called, `{project.spec.site}` unless you said"
            f" otherwise, and move it: `mv .freehold ../moved && mkdir -p .freehold/sites && mv"
            f" ../moved {kept}`",
            code="site.not-moved",
        )


def _signer_and_ledger(
    signer_class: Any, project: OpenProject, clock: Clock
) -> tuple[Signer, MergingLedger]:
    """Ends the replacement of a key that was interrupted after the ledger went on with it. Another
    process may be about to end it, or have done so since the key was read."""
    path, own = project.state / LEDGER, key_path(project.state)
    signer = _signer(signer_class, own)
    for _ in range(3):
        try:
            ledger: MergingLedger = adapters.embedded("ledger")(
                path,
                writer=writer_name(project.spec.site, signer.public.fingerprint),
                signer=signer,
                clock=clock,
                projections=PROJECTIONS,
            )
        except IntegrityError as error:
            if error.code != "ledger.other-writer":
                raise
            put_in_place(own)
            before, signer = signer.public.fingerprint, _signer(signer_class, own)
            if signer.public.fingerprint == before:
                raise
            continue
        return signer, ledger
    raise IntegrityError(
        "neither this site's key nor the one that was to follow it is the ledger's",
        why=f"{path.name} was written with another key",
        hint="put the ledger's own key back from where you keep it",
        code="key.missing",
    )


def _signer(signer_class: Any, key: Path) -> Signer:
    """Loads the site's key, or makes it; another process may make it at the same moment."""
    if not key.exists():
        try:
            made: Signer = signer_class.create(key)
            return made
        except Conflict:
            """It has."""
    loaded: Signer = signer_class(key)
    return loaded


def _begin(site: Site) -> None:
    """The history's first entry, once, whoever comes first and wherever the last one stopped."""

    def decision(_: State) -> list[Draft]:
        if any(True for _ in site.ledger.lines(0, 1)):
            return []
        key = site.signer.public.fingerprint
        body = {"key": key, "site": site.name, "freehold": RELEASE}
        return [Draft("site.opened", body, actor=site.actor)]

    if not any(True for _ in site.ledger.lines(0, 1)):
        site.ledger.decide(decision)
