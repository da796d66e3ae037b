"""`freehold bundle --since`: one file with what differs from a bundle that is out there.

A ZIP archive: `delta.json` and its signature, the new `bundle.json` and its signature, and below
`files/` what is new or changed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from freehold.app.edge.making import Made, Tell, generation_of, making
from freehold.app.edge.permission import require_permission
from freehold.app.edge.wanted import Wanted
from freehold.app.model.naming import resolve
from freehold.app.site.opening import Site
from freehold.catalog.bundles import is_made
from freehold.domain.bundle import (
    DELTA,
    DELTA_SIGNATURE,
    FILES,
    MANIFEST,
    SIGNATURE,
    BundleDelta,
    BundleFile,
    BundleManifest,
    delta_between,
    digest,
    read_manifest,
)
from freehold.domain.errors import IntegrityError, NotFound, Refused, StorageFailed
from freehold.domain.project import StoreSpec
from freehold.ports.signer import Signer

PART = ".part"
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class MadeDelta:
    delta: BundleDelta
    base: BundleManifest
    target: BundleManifest
    size: int
    """Bytes of the file."""


def make_delta(
    site: Site, wanted: Wanted, since: Path, into: Path, say: Tell = lambda _: None
) -> tuple[MadeDelta, Made]:
    """A new bundle, as far as it differs from the one whose manifest is `since`; with its store for
    reports, unless another one is wanted.

    Raises what `make_bundle` raises; NotFound, IntegrityError (`bundle.malformed`,
    `bundle.unknown-base`), Refused (`bundle.other-place`, `bundle.exists`).
    """
    base = _base(site, since)
    _require_of_one_place(base, wanted.place, resolve(site, wanted.name).model)
    _require_new(into)
    if base.reports and not wanted.reports.at:
        wanted = replace(wanted, reports=StoreSpec(**base.reports))
    aside = into.with_name(into.name + ".bundle" + PART)
    with making(site, wanted, aside, say) as (part, made):
        place = generation_of(part, made.manifest.number)
        return write_delta(site.signer, base, made.manifest, place, into, back=False), made


def make_delta_back(site: Site, wanted: Wanted, since: Path, to: Path, into: Path) -> MadeDelta:
    """From the bundle whose manifest is `since` to one that was made before, whose folder is `to`.

    Raises as `make_delta`, and IntegrityError `bundle.altered` for a file of the folder that is not
    what was signed.
    """
    base, place = _base(site, since), (to / "current").resolve()
    target = _base(site, place / MANIFEST)
    if target.number >= base.number:
        raise Refused(
            f"bundle {target.number} is not before bundle {base.number}",
            why="an update that leads back leads to a lower number",
            hint="make an update that leads on: without --back-to",
            code="bundle.not-back",
        )
    _require_of_one_place(base, target.site, target.model)
    _require_of_one_place(target, wanted.place, resolve(site, wanted.name).model)
    version = resolve(site, f"{target.model}@{target.version}")
    require_permission(site, version, wanted)
    _require_new(into)
    return write_delta(site.signer, base, target, place, into, back=True)


def _base(site: Site, since: Path) -> BundleManifest:
    """Believed because it is in the history."""
    try:
        document = since.read_bytes()
    except OSError as exc:
        raise NotFound(
            f"{since} cannot be read",
            why=str(exc),
            hint="name the bundle.json of the bundle: BUNDLE/current/bundle.json",
            code="bundle.no-manifest",
        ) from exc
    manifest = read_manifest(document)
    if not is_made(site.state, digest(document)):
        raise IntegrityError(
            f"{since} is of no bundle that was made here",
            why="its digest is in no history that is known at this site",
            hint="`freehold sync` brings what other sites made; an altered manifest is none",
            code="bundle.unknown-base",
        )
    return manifest


def _require_of_one_place(base: BundleManifest, place: str, model: str) -> None:
    if (base.site, base.model) != (place, model):
        raise Refused(
            f"no update leads from {base.model} for {base.site} to {model} for {place}",
            why="an update brings the same model for the same place",
            hint="make a bundle of its own: without --since",
            code="bundle.other-place",
        )


def _require_new(into: Path) -> None:
    if into.exists():
        raise Refused(
            f"{into} is there already",
            why="an update is a new file",
            hint="name another with --into",
            code="bundle.exists",
        )


def write_delta(
    signer: Signer,
    base: BundleManifest,
    target: BundleManifest,
    place: Path,
    into: Path,
    *,
    back: bool,
) -> MadeDelta:
    """`place`: the folder of the target's files. Raises IntegrityError `bundle.altered`,
    StorageFailed."""
    delta = delta_between(base, target, back=back)
    document = delta.document()
    with _new_archive(into) as archive:
        _put(archive, DELTA, document)
        _put(archive, DELTA_SIGNATURE, signer.sign(document))
        _put(archive, MANIFEST, (place / MANIFEST).read_bytes())
        _put(archive, SIGNATURE, (place / SIGNATURE).read_bytes())
        for name in delta.changed:
            data = (place / name).read_bytes()
            if BundleFile.of(data) != target.files[name]:
                raise IntegrityError(
                    f"{place / name} is not what was signed",
                    why="its size or digest is another one",
                    hint="make the update from a whole copy of that bundle",
                    code="bundle.altered",
                )
            _put(archive, FILES + name, data)
    return MadeDelta(delta, base, target, into.stat().st_size)


@contextmanager
def _new_archive(into: Path) -> Iterator[ZipFile]:
    """Appears whole or not at all. Raises StorageFailed."""
    part = into.with_name(into.name + PART)
    try:
        # It may bring the key for tokens, which nobody else may read.
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            with ZipFile(file, "w", ZIP_DEFLATED) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        part.replace(into)
    except OSError as exc:
        raise StorageFailed(
            f"{into} could not be written",
            why=str(exc),
            hint="make room or mend the folder's permissions, then do it again",
        ) from exc
    finally:
        part.unlink(missing_ok=True)


def _put(archive: ZipFile, name: str, data: bytes) -> None:
    """Equal content gives equal bytes."""
    entry = ZipInfo(name, _DATE)
    entry.compress_type = ZIP_DEFLATED
    archive.writestr(entry, data)
