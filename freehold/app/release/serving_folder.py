"""What the endpoint reads: packages and a signed routing table, written from the ledger."""

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from freehold.app.files import write_files
from freehold.app.release.log_rule import log_rule
from freehold.app.release.vouching import vouched
from freehold.app.site.opening import Site
from freehold.catalog.package import unpack
from freehold.catalog.versions import ModelVersion, version_of
from freehold.delivery.releases import releases_of, served_before
from freehold.delivery.traffic import must_leave, traffic
from freehold.domain.columns import Columns
from freehold.domain.errors import (
    Conflict,
    FreeholdError,
    IntegrityError,
    PolicyDenied,
    ProjectInvalid,
    StorageFailed,
)
from freehold.domain.package import ADMISSION, COLUMNS, check_admission
from freehold.domain.release import Release
from freehold.domain.routing import (
    RoutingTable,
    Variant,
    is_withdrawal,
    read_routing,
    routing_document,
    signed_bytes,
    withdrawal_bytes,
    withdrawal_document,
)

LOCK_POLL = 0.01
LONGEST_WAIT = 60.0
"""Seconds that a publication waits for another one."""
GONE = ".gone"
ROUTING = "routing.json"


def publish(site: Site, model: str) -> RoutingTable | None:
    """Write what the endpoint of a model serves now; None when nothing does.

    Idempotent: the document that stands is kept if only its number would change. Another one has a
    greater number than any that this key signed and that stands in the folder, so that the endpoint
    takes it. The packages are in place before the table that names them. One process at a time.

    Raises StorageFailed, Conflict `release.busy`, and what keeps a package from being placed
    (`artifact.missing`). What is revoked or rolled back has left traffic even then: an earlier
    version that is here serves, or nothing does.
    """
    with _alone(site, model):
        return _publish(site, model)


def table_in_force(site: Site) -> RoutingTable | None:
    """What the endpoint reads now, if this site's key signed it."""
    return _standing(site).table


@contextmanager
def _alone(site: Site, model: str) -> Iterator[None]:
    until = time.monotonic() + LONGEST_WAIT
    while (held := site.locks.take(f"publish {model}")) is None:
        if time.monotonic() > until:
            raise Conflict(
                f"another process is publishing releases of {model}",
                why=f"it has not ended for {LONGEST_WAIT:.0f} seconds",
                hint="stop it, then `freehold release` or `freehold serve` publishes what stands",
                code="release.busy",
            )
        time.sleep(LOCK_POLL)
    try:
        yield
    finally:
        held.release()


@dataclass(frozen=True)
class _Standing:
    """What `routing.json` says now, if this site's key signed it."""

    number: int = 0
    table: RoutingTable | None = None


def _publish(site: Site, model: str) -> RoutingTable | None:
    releases = list(releases_of(site.state, model, site.name))
    if not releases:
        return None
    try:
        return _take_effect(site, releases)
    except OSError as exc:
        raise StorageFailed(
            "the serving folder could not be written",
            why=str(exc),
            hint="make room or mend its permissions, then release again",
        ) from exc


def _take_effect(site: Site, releases: list[Release]) -> RoutingTable | None:
    release = releases[-1]
    versions = {
        number: version_of(site.state, release.model, number)
        for number in {release.version, *_previous(release)}
    }
    digests = {number: version.package for number, version in versions.items()}
    standing = _standing(site)
    number = max(_table_number(releases), standing.number + 1)
    table = traffic(release, number, digests, site.name, site.clock())
    if table is None:
        _withdraw(site, release.model, number)
        return None
    try:
        _place(site, table, versions)
        table = _logging(site, release, table, standing)
    except (FreeholdError, OSError):
        if standing.table is not None and must_leave(site.state, standing.table):
            _retreat(site, release, number, standing)
        raise
    return _put_in_force(site, table, standing)


def _logging(
    site: Site, release: Release, table: RoutingTable, standing: _Standing
) -> RoutingTable:
    """The table, with what its log keeps. Its packages are in place."""
    taken: set[str] = set()
    for variant in table.variants:
        path = package_folder(site.serving, variant.digest) / "payload" / COLUMNS
        try:
            taken.update(Columns.from_json(json.loads(path.read_bytes())).names)
        except (OSError, ValueError, ProjectInvalid):
            # Somebody changed it: the endpoint, which verifies it, will not load it.
            continue
    rule = None if standing.table is None else standing.table.log
    return replace(table, log=log_rule(site, release, taken, rule))


def _place(site: Site, table: RoutingTable, versions: Mapping[int, ModelVersion]) -> None:
    """The key and the packages that a table needs."""
    serving = site.serving
    serving.mkdir(parents=True, exist_ok=True)
    if _has_other_key(serving / "site.pub", site):
        # What the key before it vouched for, this one has to vouch for anew.
        shutil.rmtree(serving / "models", ignore_errors=True)
    _replace(serving / "site.pub", site.signer.public.pem)
    for variant in table.variants:
        place_package(site, versions[variant.version], serving)


def _put_in_force(site: Site, table: RoutingTable, standing: _Standing) -> RoutingTable:
    """The table that stands then: the one before, if only the number would be another."""
    if standing.table == replace(table, version=standing.number):
        # A second signature would have other bytes.
        table = standing.table
    else:
        document = routing_document(table, site.signer.sign(signed_bytes(table)))
        _replace(site.serving / ROUTING, document)
    _forget_others(site.serving / "models", {variant.digest for variant in table.variants})
    return table


def _retreat(site: Site, release: Release, number: int, standing: _Standing) -> None:
    """Something must leave traffic now, and what should follow it cannot be placed here: the
    latest version before it that can is served, or nothing."""
    for candidate in served_before(site.state, release.model, site.name):
        version = version_of(site.state, release.model, candidate)
        only = (Variant(candidate, version.package, 100.0, "champion"),)
        table = RoutingTable(number, release.model, release.id, only)
        try:
            _place(site, table, {candidate: version})
            table = _logging(site, release, table, standing)
        except (FreeholdError, OSError):
            # The caller raises why the version that is wanted is not there.
            continue
        _put_in_force(site, table, standing)
        return
    _withdraw(site, release.model, number)


def _withdraw(site: Site, model: str, number: int) -> None:
    """What was served is revoked or rolled back, and there is nothing to go back to."""
    path = site.serving / ROUTING
    if path.exists() and not is_withdrawal(path.read_bytes(), site.signer.public):
        signature = site.signer.sign(withdrawal_bytes(model, number))
        _replace(path, withdrawal_document(model, number, signature))


def _standing(site: Site) -> _Standing:
    try:
        document = (site.serving / ROUTING).read_bytes()
        if is_withdrawal(document, site.signer.public):
            return _Standing(json.loads(document)["version"])
        table = read_routing(document, site.signer.public)
    except (FileNotFoundError, IntegrityError):
        # No endpoint that starts now takes it up either.
        return _Standing()
    return _Standing(table.version, table)


def place_package(site: Site, version: ModelVersion, serving: Path) -> Path:
    """The folder of a version's package with its signature and admission, as the endpoint has it.

    What lies there already is left as it is: the endpoint verifies what it loads, and a package
    that somebody changed must be seen, not mended in silence.
    """
    folder = package_folder(serving, version.package)
    if folder.exists():
        _admit_as(site, version, folder)
        return folder
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    write_files(part / "payload", unpack(site.artifacts.get(version.package)))
    for name, data in vouched(site, version).items():
        (part / name).write_bytes(data)
    part.replace(folder)
    return folder


def _admit_as(site: Site, version: ModelVersion, folder: Path) -> None:
    """A retraining may make the very bytes that serve as another version: they are then served
    under the name of the later release. An admission that does not hold is left to be seen."""
    try:
        stands = (folder / ADMISSION).read_bytes()
        admitted = check_admission(stands, site.signer.public, version.package)
    except (FileNotFoundError, IntegrityError, PolicyDenied):
        return
    if (admitted.model, admitted.version) != (version.model, version.version):
        for name, data in vouched(site, version).items():
            _replace(folder / name, data)


def package_folder(serving: Path, digest: str) -> Path:
    return serving / "models" / digest.removeprefix("sha256:")


def _previous(release: Release) -> Iterable[int]:
    return () if release.previous is None else (release.previous,)


def _table_number(releases: list[Release]) -> int:
    """Grows with what this site decides. What is merged, and a revocation, can set a release back
    and lower it: a table's number is therefore above that of the document that stands, too."""
    weight = {"running": 0, "completed": 1, "rolled-back": 2}
    return sum(1 + release.step + weight[release.status] for release in releases)


def _has_other_key(path: Path, site: Site) -> bool:
    return path.exists() and path.read_bytes() != site.signer.public.pem


def _replace(path: Path, data: bytes) -> None:
    if path.exists() and path.read_bytes() == data:
        return
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def _forget_others(models: Path, wanted: set[str]) -> None:
    keep = {digest.removeprefix("sha256:") for digest in wanted}
    for folder in list(models.iterdir()):
        if folder.name in keep:
            continue
        # Killed in the middle, it must not leave half a package under a package's name.
        gone = folder if folder.suffix == GONE else folder.with_name(folder.name + GONE)
        if folder != gone:
            shutil.rmtree(gone, ignore_errors=True)
            folder.replace(gone)
        shutil.rmtree(gone, ignore_errors=True)
