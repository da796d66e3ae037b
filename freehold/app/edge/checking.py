"""`freehold bundles --check`: a bundle looked at from outside, by who made it."""

from collections.abc import Iterator
from pathlib import Path

from freehold.app.edge.making import CURRENT, GENERATIONS, KEY, RUN, STATE
from freehold.app.site.opening import Site
from freehold.catalog.bundles import is_made
from freehold.domain.bundle import (
    MANIFEST,
    SIGNATURE,
    BundleFile,
    BundleManifest,
    digest,
    read_manifest,
)
from freehold.domain.errors import Fault, IntegrityError, NotFound

TOP = {RUN, KEY, CURRENT, GENERATIONS, STATE}


def check_bundle(site: Site, root: Path) -> BundleManifest:
    """What the history here says of a folder is believed, and nothing that lies in it: not even
    what starts it.

    Raises NotFound `bundle.no-manifest`, IntegrityError `bundle.unknown-base`, and
    `bundle.altered` with all files that are not what was signed.
    """
    place = root / CURRENT
    try:
        document = (place / MANIFEST).read_bytes()
        top = {path.name for path in root.iterdir()}
    except OSError as exc:
        raise NotFound(
            f"{root} is no bundle",
            why=str(exc),
            hint="name the folder in which `run` lies",
            code="bundle.no-manifest",
        ) from exc
    if not is_made(site.state, digest(document)):
        raise IntegrityError(
            f"the bundle in {root} was not made by anybody who is known here",
            why="the digest of its manifest is in no history that is known at this site",
            hint="`freehold sync` brings what other sites made; an altered manifest is none",
            code="bundle.unknown-base",
        )
    manifest = read_manifest(document)
    faults = [
        Fault("bundle.additional", "no signed list names it", name) for name in sorted(top - TOP)
    ]
    run = root / RUN
    if not run.is_symlink() or str(run.readlink()) != f"{CURRENT}/{RUN}":
        faults.append(Fault("bundle.altered", f"it does not lead to {CURRENT}/{RUN}", RUN))
    faults += _faults(place.resolve(), manifest)
    if faults:
        raise IntegrityError(
            f"the bundle in {root} is not what was signed",
            code="bundle.altered",
            hint="copy it again from where it was made; do not run it",
            faults=faults,
        )
    return manifest


def _faults(place: Path, manifest: BundleManifest) -> Iterator[Fault]:
    there = {
        path.relative_to(place).as_posix(): path
        for path in place.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    for name in sorted(there.keys() - manifest.files.keys() - {MANIFEST, SIGNATURE}):
        yield Fault("bundle.additional", "no signed list names it", name)
    for name, entry in sorted(manifest.files.items()):
        path = there.get(name)
        if path is None:
            yield Fault("bundle.missing", "it is missing", name)
        elif path.is_symlink() or BundleFile.of(path.read_bytes()) != entry:
            yield Fault("bundle.altered", "it is not what was signed", name)
