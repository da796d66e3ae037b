"""Many small files as a site's artifacts, through a folder, beside what that takes at least."""

import os
import random
import shutil
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.outcome import Outcome, tell
from benchmarks.replication import memory
from benchmarks.replication.counts import TINY_BYTES, Counts
from benchmarks.replication.stores import opened
from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.domain.artifact import object_key
from freehold.ports.object_store import StoreSettings
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.sending import publish_artifacts

FOLDER_AIM, SCAN_AIM, MINUTES = 2.5, 2.0, 10
FLAT = 1.2
Kept = tuple[DiskObjectStore, Sequence[str]]
"""A site's own store, and the digests of what lies in it."""


class Freehold:
    name = "freehold"
    fetches = True

    def __init__(self, settings: StoreSettings, kept: Kept) -> None:
        self._store, (self._objects, self._digests) = opened(settings), kept

    def send(self, _: Path) -> float:
        begun = time.perf_counter()
        sent = publish_artifacts(self._digests, self._objects, self._store)
        taken = time.perf_counter() - begun
        if sent.missing or sent.corrupt:
            raise RuntimeError("the benchmark's own artifacts were not sent")
        return taken

    def fetch(self, tree: Path) -> float:
        new = DiskObjectStore(tree)
        begun = time.perf_counter()
        found = fetch_artifacts(self._digests, {"store": self._store}, new)
        taken = time.perf_counter() - begun
        if len(found.got) != len(self._digests):
            raise RuntimeError(f"not all was fetched: {found.faults}")
        return taken


def write(tree: Path, count: int, size: int) -> None:
    """Files that nothing compresses, a hundred to a folder."""
    chance = random.Random(7)
    for number in range(count):
        folder = tree / f"{number // 100:04d}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number}.bin").write_bytes(chance.randbytes(size))


def keep(tree: Path, folder: Path) -> Kept:
    """The files as a site's artifacts. Links, since how they came there is another question."""
    objects, digests = DiskObjectStore(folder), []
    for file in sorted(tree.rglob("*.bin")):
        digest = f"sha256:{sha256(file.read_bytes()).hexdigest()}"
        place = folder / object_key(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, place)
        digests.append(digest)
    return objects, digests


def limits(tree: Path, kept: Kept, counts: Counts, outcome: Outcome) -> None:
    """Of a folder: hashing and copying the files; looking at an unchanged tree."""
    tell("freehold and a folder, beside hashing and copying")
    found: dict[str, list[float]] = {}
    for _ in range(counts.rounds):
        with TemporaryDirectory(dir=".", prefix="limits-") as name:
            folder = Path(name).resolve()
            mover = Freehold(StoreSettings(f"file://{folder / 'store'}"), kept)
            for what, seconds in (
                ("hashed and copied", _hashed_and_copied(tree, folder / "copy")),
                ("freehold into a folder", mover.send(tree)),
                ("freehold out of a folder, one by one", mover.fetch(folder / "back")),
                ("hashed and copied, each file synced", _synced_copy(tree, folder / "synced")),
                ("bare scan", _scanned(tree)),
                ("freehold, nothing new", mover.send(tree)),
            ):
                found.setdefault(what, []).append(seconds)
    least = {name: min(seconds) for name, seconds in found.items()}
    for name, seconds in least.items():
        outcome.figures[f"{counts.files:,} files of 20 KB, {name}, s"] = seconds
    for mine, other, aim in (
        ("freehold into a folder", "hashed and copied", FOLDER_AIM),
        ("freehold out of a folder, one by one", "hashed and copied", FOLDER_AIM),
        ("freehold, nothing new", "bare scan", SCAN_AIM),
    ):
        name, ratio = f"{mine} / {other} (aim: {aim})", least[mine] / least[other]
        outcome.ratios[name] = ratio
        outcome.aim(name, ratio, lambda found, most=aim: found <= most)  # type: ignore[misc]
    other = "hashed and copied, each file synced"
    mine = "freehold out of a folder, one by one"
    outcome.ratios[f"{mine} / {other}"] = least[mine] / least[other]


def _hashed_and_copied(tree: Path, copy: Path) -> float:
    begun = time.perf_counter()
    for file in tree.rglob("*.bin"):
        sha256(file.read_bytes())
    shutil.copytree(tree, copy)
    return time.perf_counter() - begun


def _synced_copy(tree: Path, copy: Path) -> float:
    """The same, so that a crash of the machine takes none of the files."""
    begun = time.perf_counter()
    for file in tree.rglob("*.bin"):
        data = file.read_bytes()
        sha256(data)
        target = copy / file.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as opened_file:
            opened_file.write(data)
            opened_file.flush()
            os.fsync(opened_file.fileno())
    return time.perf_counter() - begun


def _scanned(tree: Path) -> float:
    """What tells that no file was changed, whoever asks: each one's size and time."""
    begun = time.perf_counter()
    pending: list[str | Path] = [tree]
    while pending:
        with os.scandir(pending.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
    return time.perf_counter() - begun


def flat(kept: Kept, folder: Path, counts: Counts, outcome: Outcome) -> None:
    """Memory of sending and fetching half of the files, and all."""
    tell("memory of sending and fetching")
    objects, digests = kept
    peaks = []
    for count in (len(digests) // 2, len(digests)):
        with TemporaryDirectory(dir=folder) as name:
            peaks.append(memory.measured(objects, digests[:count], Path(name)).peak)
        outcome.figures[f"{count:,} files of 20 KB sent and fetched, peak MB"] = peaks[-1]
    name = f"memory, {counts.files:,} over {counts.files // 2:,} files (aim: {FLAT})"
    outcome.ratios[name] = peaks[1] / peaks[0]
    outcome.aim(name, peaks[1] / peaks[0], lambda found: found <= FLAT)


def tiny(counts: Counts, outcome: Outcome) -> None:
    """Hundreds of thousands of files of 3 KB through a folder."""
    name = "600,000 files of 3 KB through a folder"
    aim = f"600,000 files of 3 KB in minutes (aim: {MINUTES})"
    if not counts.tiny:
        outcome.figures[f"{name}, minutes"] = None
        outcome.not_measured[name] = "with --full only"
        outcome.aim(aim, None, bool)
        return
    with TemporaryDirectory(dir=".", prefix="tiny-") as scratch:
        folder = Path(scratch).resolve()
        tell(f"writing {counts.tiny:,} files of 3 KB")
        write(folder / "tree", counts.tiny, TINY_BYTES)
        objects, digests = keep(folder / "tree", folder / "objects")
        tell(name)
        found = memory.measured(objects, digests, folder)
    outcome.figures[f"{name}, there, minutes"] = found.there / 60
    outcome.figures[f"{name}, back, minutes"] = found.back / 60
    outcome.figures[f"{name}, peak MB"] = found.peak
    taken = (found.there + found.back) / 60
    outcome.figures[f"{name}, minutes"] = taken
    outcome.aim(aim, taken, lambda found: found <= MINUTES)
