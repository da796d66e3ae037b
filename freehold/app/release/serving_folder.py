"""What the endpoint reads: packages and a signed routing table, written from the ledger."""

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from freehold.app.files import write_files
from freehold.app.release.vouching import vouched
from freehold.app.site.opening import Site
from freehold.catalog.package import unpack
from freehold.catalog.versions import ModelVersion, version_of
from freehold.delivery.releases import releases_of
from freehold.delivery.traffic import traffic
from freehold.domain.errors import Conflict, IntegrityError, PolicyDenied, StorageFailed
from freehold.domain.package import ADMISSION, check_admission
from freehold.domain.release import Release
from freehold.domain.routing import (
    RoutingTable,
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


def publish(site: Site, model: str) -> RoutingTable | None:
    """Write what the endpoint of a model serves now; None when nothing does yet.

    Idempotent: the same releases give the same table. The packages are in place before the table
    that names them. One process at a time: an older table never replaces a newer one. Raises
    StorageFailed, Conflict `release.busy`.
    """
    with _alone(site, model):
        return _publish(site, model)


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


def _publish(site: Site, model: str) -> RoutingTable | None:
    releases = list(releases_of(site.state, model, site.name))
    if not releases:
        return None
    release = releases[-1]
    versions = {
        number: version_of(site.state, model, number)
        for number in {release.version, *_standing(release)}
    }
    digests = {number: version.package for number, version in versions.items()}
    table = traffic(release, _table_number(releases), digests)
    serving = site.serving
    if table is None:
        _withdraw(site, model, _table_number(releases))
        return None
    try:
        serving.mkdir(parents=True, exist_ok=True)
        if _has_other_key(serving / "site.pub", site):
            # What the key before it vouched for, this one has to vouch for anew.
            shutil.rmtree(serving / "models", ignore_errors=True)
        _replace(serving / "site.pub", site.signer.public.pem)
        for variant in table.variants:
            place_package(site, versions[variant.version], serving)
        if not _stands(serving / "routing.json", table, site):
            document = routing_document(table, site.signer.sign(signed_bytes(table)))
            _replace(serving / "routing.json", document)
    except OSError as exc:
        raise StorageFailed(
            "the serving folder could not be written",
            why=str(exc),
            hint="make room or mend its permissions, then release again",
        ) from exc
    _forget_others(serving / "models", {variant.digest for variant in table.variants})
    return table


def _withdraw(site: Site, model: str, number: int) -> None:
    """What was served is revoked or rolled back, and there is nothing to go back to."""
    path = site.serving / "routing.json"
    if path.exists() and not is_withdrawal(path.read_bytes(), site.signer.public):
        signature = site.signer.sign(withdrawal_bytes(model, number))
        _replace(path, withdrawal_document(model, number, signature))


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


def _standing(release: Release) -> Iterable[int]:
    return () if release.previous is None else (release.previous,)


def _table_number(releases: list[Release]) -> int:
    """Grows with every change of any release of the model."""
    weight = {"running": 0, "completed": 1, "rolled-back": 2}
    return sum(1 + release.step + weight[release.status] for release in releases)


def _stands(path: Path, table: RoutingTable, site: Site) -> bool:
    """Whether the table is there, signed: a second signature would have other bytes."""
    try:
        return read_routing(path.read_bytes(), site.signer.public) == table
    except (FileNotFoundError, IntegrityError):
        return False


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
