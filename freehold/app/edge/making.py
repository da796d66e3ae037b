"""`freehold bundle`: one folder with a version, what answers from it, and an endpoint."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from freehold.app.edge.content import Content, write_content
from freehold.app.edge.permission import require_permission
from freehold.app.edge.wanted import Wanted
from freehold.app.model.naming import resolve
from freehold.app.release.release import require_approval
from freehold.app.site.opening import Site
from freehold.catalog.bundles import next_number
from freehold.catalog.versions import ModelVersion, version_of
from freehold.domain.bundle import MANIFEST, SIGNATURE, BundleManifest, digest
from freehold.domain.errors import Conflict, Failed, Refused, StorageFailed
from freehold.domain.fact import Draft
from freehold.domain.projection import State

PART = ".part"
GENERATIONS, CURRENT, RUN, KEY, STATE = "generations", "current", "run", "site.pub", "state"


@dataclass(frozen=True)
class Made:
    manifest: BundleManifest
    digest: str
    """Of the manifest."""
    seconds: float
    """From the start of its process until all had verified and the model had answered."""


Tell = Callable[[str], None]
"""Told what is being done."""


def make_bundle(site: Site, wanted: Wanted, into: Path, say: Tell = lambda _: None) -> Made:
    """A new folder, whole or not there.

    Raises Refused (`bundle.exists`, `bundle.libraries`), PolicyDenied for a version that no policy
    admits, that is revoked, or whose labels bar the place, NotFound, IntegrityError, StorageFailed;
    Failed `bundle.does-not-run` if what was made does not answer here.
    """
    if into.exists() or into.is_symlink():
        raise Refused(
            f"{into} is there already",
            why="a bundle is a new folder; one that runs is brought up to date by an update",
            hint="name another with --into, or make an update: --since BUNDLE.json",
            code="bundle.exists",
        )
    part = into.with_name(into.name + PART)
    with making(site, wanted, part, say) as (_, made):
        part.replace(into)
    return made


@contextmanager
def making(site: Site, wanted: Wanted, part: Path, say: Tell) -> Iterator[tuple[Path, Made]]:
    """A bundle that lies at `part` for as long as the context lasts, and is a fact by then."""
    version = resolve(site, wanted.name)
    labels = require_permission(site, version, wanted)
    with _alone(site, wanted.place, version.model):
        number = next_number(site.state, wanted.place, version.model, site.numbering)
        shutil.rmtree(part, ignore_errors=True)
        try:
            content = Content(version, wanted, labels, number)
            manifest = _write(site, content, part, say)
            say("starting it once")
            seconds = _tried(part)
            made = Made(manifest, digest(manifest.document()), seconds)
            _record(site, version, made)
            yield part, made
        except OSError as exc:
            raise StorageFailed(
                f"the bundle could not be written to {part.parent}",
                why=str(exc),
                hint="make room or mend the folder's permissions, then bundle again",
            ) from exc
        finally:
            shutil.rmtree(part, ignore_errors=True)


def generation_of(root: Path, number: int) -> Path:
    return root / GENERATIONS / f"{number:06d}"


def _write(site: Site, content: Content, part: Path, say: Tell) -> BundleManifest:
    place = generation_of(part, content.number)
    place.mkdir(parents=True)
    manifest = write_content(site, content, place, say)
    document = manifest.document()
    (place / MANIFEST).write_bytes(document)
    (place / SIGNATURE).write_bytes(site.signer.sign(document))
    (part / KEY).write_bytes(site.signer.public.pem)
    (part / CURRENT).symlink_to(place.relative_to(part))
    (part / RUN).symlink_to(f"{CURRENT}/{RUN}")
    return manifest


def _tried(part: Path) -> float:
    """Seconds. Raises Failed `bundle.does-not-run`."""
    begun = time.monotonic()
    # The interpreter itself, not a virtual environment's: the bundle has all that it needs.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(part / RUN), "check"],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    seconds = time.monotonic() - begun
    shutil.rmtree(part / STATE, ignore_errors=True)
    if done.returncode:
        raise Failed(
            "the bundle does not answer here, where it was made",
            why=(done.stderr or done.stdout).strip()[-2000:],
            hint="what it lacks has to be installed here as a library of the runtime",
            code="bundle.does-not-run",
        )
    json.loads(done.stdout)
    return seconds


def _record(site: Site, version: ModelVersion, made: Made) -> None:
    """Raises PolicyDenied if the version was revoked meanwhile."""
    manifest = made.manifest

    def decision(state: State) -> list[Draft]:
        now = version_of(state, version.model, version.version)
        require_approval(now)
        body = {
            "site": manifest.site,
            "model": manifest.model,
            "version": manifest.version,
            "package": manifest.package,
            "number": manifest.number,
            "manifest": made.digest,
        }
        return [Draft("bundle.made", body, actor=site.actor, cause=(now.judged,))]

    site.ledger.decide(decision)


@contextmanager
def _alone(site: Site, place: str, model: str) -> Iterator[None]:
    held = site.locks.take(f"bundle {place} {model}")
    if held is None:
        raise Conflict(
            f"another process is making a bundle of {model} for {place}",
            why="two at a time would take one number",
            hint="wait until it has ended, then bundle again",
            code="bundle.busy",
        )
    try:
        yield
    finally:
        held.release()
