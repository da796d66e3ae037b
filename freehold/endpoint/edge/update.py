"""A bundle becomes the next one: the whole new one is there before anything points to it.

Laws
- A delta applies to exactly the manifest that is current, and leads to exactly one other; both, and
  the step itself, are signed by the key that the bundle believes.
- Numbers grow. A lower one than there has been is taken only from a delta that is signed as one
  that leads back, and that applies to nothing but the bundle before it.
- Killed at any moment it leaves the old bundle or the new one, whole: one rename decides.
- What a process runs from stays until it has ended.
"""

import fcntl
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile, ZipFile

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
    read_delta,
    read_manifest,
)
from freehold.domain.errors import Conflict, IntegrityError, NotFound, Refused, StorageFailed
from freehold.domain.signature import PublicKey
from freehold.endpoint.edge.folder import SERVING
from freehold.endpoint.edge.launch import (
    CURRENT,
    GENERATIONS,
    KEY,
    RUN,
    STATE,
    Unsound,
    checked_generation,
    is_plain,
)
from freehold.endpoint.edge.launch import read as read_bytes
from freehold.endpoint.keeping import TOKEN_KEY

PART, GONE = ".part", ".gone"
SECRET = f"{SERVING}/{TOKEN_KEY}"
HIGHEST = "highest"
"""In `state/`: the greatest number that was current before the current one."""
LARGEST = 64 * 2**20
"""Bytes of a manifest or a delta's list; more is not read."""
BLOCK = 2**20
UNREADABLE = (BadZipFile, EOFError, OverflowError, RuntimeError, ValueError, zlib.error)
"""What reading an archive raises that somebody has damaged."""


@dataclass(frozen=True)
class Updated:
    base: BundleManifest
    target: BundleManifest
    delta: BundleDelta


def update(root: Path, file: Path) -> Updated:
    """Raises NotFound, Refused (`bundle.other-base`, `bundle.older`), Conflict `bundle.busy`,
    IntegrityError (`bundle.delta-unsigned`, `bundle.malformed`, `bundle.altered`, …), StorageFailed
    if the disk does not take it. Whatever it raises, the bundle is as it was.
    """
    try:
        with _alone(root), _opened(file) as archive:
            return _update(root, archive)
    except Unsound as exc:
        raise IntegrityError(exc.what, why=exc.why, hint=exc.hint, code=exc.code) from exc
    except OSError as exc:
        raise StorageFailed(
            "the update could not be written",
            why=str(exc),
            hint="make room for what is new; the bundle is as it was",
        ) from exc


def _update(root: Path, archive: ZipFile) -> Updated:
    key = PublicKey((root / KEY).read_bytes())
    present = (root / CURRENT).resolve()
    before = (present / MANIFEST).read_bytes()
    base = read_manifest(before)
    document = _small(archive, MANIFEST)
    delta = read_delta(_small(archive, DELTA), _small(archive, DELTA_SIGNATURE), key)
    _require_base(delta, digest(before), base)
    _require_grows(root, delta, base)
    if digest(document) != delta.manifest:
        raise _contradicts(f"its {MANIFEST} is not the one that was signed")
    target = read_manifest(document)
    if delta_between(base, target, back=delta.back) != delta:
        raise _contradicts("what it says that it changes is not what it changes")
    _require_names(archive, delta)
    place = root / GENERATIONS / f"{target.number:06d}"
    part = place.with_name(place.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    try:
        _build(part, present, archive, delta, target)
        checked_generation(part, key.pem)
        if not _is_whole(place, document, key):
            _let_go(place)
            part.replace(place)
        _sync(place.parent)
        _note_highest(root, base.number)
        _point(root, place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _let_go_of_others(root)
    return Updated(base, target, delta)


def clean(root: Path) -> None:
    """Lets go of what no process runs from, unless somebody is updating: then that will."""
    with suppress(Conflict), _alone(root):
        _let_go_of_others(root)


def _let_go_of_others(root: Path) -> None:
    """Generations that are not current and that no process runs from."""
    current = (root / CURRENT).resolve()
    for place in list((root / GENERATIONS).iterdir()):
        if place == current:
            continue
        if place.suffix in (PART, GONE) or _is_idle(root, place.name):
            _let_go(place)


def _is_whole(place: Path, document: bytes, key: PublicKey) -> bool:
    """Whether what the delta leads to is there already; a process may still run from it."""
    try:
        return read_bytes(place / MANIFEST) == document and bool(checked_generation(place, key.pem))
    except Unsound:
        return False


def _require_base(delta: BundleDelta, present: str, base: BundleManifest) -> None:
    if (delta.base, delta.site, delta.model) != (present, base.site, base.model):
        raise Refused(
            f"this update is for bundle {delta.base_number} of {delta.model} for {delta.site}",
            why=f"here is bundle {base.number} of {base.model} for {base.site},"
            f" whose manifest is {present}",
            hint="have one made from this manifest: `freehold bundle --since BUNDLE.json`",
            code="bundle.other-base",
        )


def _require_grows(root: Path, delta: BundleDelta, base: BundleManifest) -> None:
    highest = max(base.number, _highest(root))
    if delta.number == base.number or (delta.number <= highest and not delta.back):
        raise Refused(
            f"this update leads to bundle {delta.number}, and there has been {highest}",
            why="an older bundle is taken only from an update that was signed as leading back",
            hint="have one made: `freehold bundle --since BUNDLE.json --back-to FOLDER`",
            code="bundle.older",
        )


def _require_names(archive: ZipFile, delta: BundleDelta) -> None:
    """Exactly what is signed lies in it, each once."""
    wanted = {DELTA, DELTA_SIGNATURE, MANIFEST, SIGNATURE, *(FILES + one for one in delta.changed)}
    names = archive.namelist()
    if strange := sorted(set(names) - wanted):
        raise _contradicts(f"{strange[0]} does not belong to it")
    if missing := sorted(wanted - set(names)):
        raise _contradicts(f"{missing[0]} is missing")
    if len(names) != len(wanted):
        raise _contradicts("a file stands in it twice")


def _build(
    part: Path, present: Path, archive: ZipFile, delta: BundleDelta, target: BundleManifest
) -> None:
    """What stays is one file with the old one, where the disk can do that."""
    changed = set(delta.changed)
    for name, entry in target.files.items():
        if not is_plain(name):
            raise _contradicts(f"{name!r} is no name of a file in a bundle")
        path = part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in changed:
            _extract(archive, FILES + name, path, entry)
        else:
            _share(present / name, path)
    for name in (MANIFEST, SIGNATURE):
        (part / name).write_bytes(_small(archive, name))
    (part / RUN).chmod(0o755)
    if (part / SECRET).exists():
        (part / SECRET).chmod(0o600)
    for path in [*(part / name for name in changed), part / MANIFEST, part / SIGNATURE]:
        _sync(path)
    for folder in [part, *(path for path in part.rglob("*") if path.is_dir())]:
        _sync(folder)


def _extract(archive: ZipFile, name: str, path: Path, entry: BundleFile) -> None:
    """No more than was signed is written."""
    whole, left = sha256(), entry.size
    try:
        with archive.open(name) as source, path.open("wb") as target:
            while block := source.read(min(BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                whole.update(block)
                target.write(block)
    except UNREADABLE as exc:
        raise _contradicts(f"{name} cannot be read: {exc}") from exc
    if left or whole.hexdigest() != entry.sha256:
        raise _contradicts(f"{name} is not what was signed")


def _share(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)
        _sync(path)


def _point(root: Path, place: Path) -> None:
    """The moment in which the bundle becomes another one."""
    link = root / STATE / (CURRENT + PART)
    link.unlink(missing_ok=True)
    link.symlink_to(place.relative_to(root))
    link.replace(root / CURRENT)
    _sync(root)


def _highest(root: Path) -> int:
    try:
        return int((root / STATE / HIGHEST).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _note_highest(root: Path, number: int) -> None:
    """Of the one that is left: a kill between this and the swap bars nobody."""
    path = root / STATE / HIGHEST
    part = path.with_name(path.name + PART)
    part.write_text(str(max(number, _highest(root))))
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _let_go(place: Path) -> None:
    """Killed in the middle, it must not leave half of it under its name."""
    gone = place if place.suffix == GONE else place.with_name(place.name + GONE)
    if place != gone and place.exists():
        shutil.rmtree(gone, ignore_errors=True)
        place.replace(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _is_idle(root: Path, generation: str) -> bool:
    held = os.open(root / STATE / "in-use" / generation, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    (root / STATE / "in-use").mkdir(parents=True, exist_ok=True)
    held = os.open(root / STATE / "update.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Conflict(
                "another process is updating this bundle",
                why="two at a time would undo each other",
                hint="wait until it has ended",
                code="bundle.busy",
            ) from exc
        yield
    finally:
        os.close(held)


@contextmanager
def _opened(file: Path) -> Iterator[ZipFile]:
    try:
        archive = ZipFile(file)
    except FileNotFoundError as exc:
        raise NotFound(f"{file} is not there", why=str(exc), code="bundle.no-update") from exc
    except UNREADABLE as exc:
        raise IntegrityError(
            f"{file} is no update of a bundle", why=str(exc), code="bundle.malformed"
        ) from exc
    with archive:
        yield archive


def _small(archive: ZipFile, name: str) -> bytes:
    try:
        if archive.getinfo(name).file_size > LARGEST:
            raise _contradicts(f"{name} is larger than {LARGEST:,} bytes")
        with archive.open(name) as file:
            data = file.read(LARGEST + 1)
    except KeyError as exc:
        raise _contradicts(f"{name} is missing") from exc
    except UNREADABLE as exc:
        raise _contradicts(f"{name} cannot be read: {exc}") from exc
    return data


def _contradicts(why: str) -> IntegrityError:
    return IntegrityError(
        "this update is not what was signed",
        why=why,
        hint="get it again from the site that made it",
        code="bundle.malformed",
    )


def _sync(path: Path) -> None:
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
