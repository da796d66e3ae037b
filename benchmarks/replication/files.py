"""Many small files into a store and out of it, beside those who move files."""

import os
import random
import shutil
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from benchmarks.peers.copying import Dvc, Rclone
from benchmarks.peers.setup import PeerFailed
from benchmarks.replication.counts import TINY_BYTES, Counts
from benchmarks.replication.outcome import Outcome, tell
from benchmarks.replication.stores import Store, opened
from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.domain.artifact import object_key
from freehold.ports.object_store import StoreSettings
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.sending import publish_artifacts

FOLDER_AIM, SCAN_AIM, PEER_AIM, MINUTES = 2.5, 2.0, 10.0, 10
PATIENCE = 120.0
"""Seconds of one round from which on the others are left out."""
Kept = tuple[DiskObjectStore, Sequence[str]]
"""A site's own store, and the digests of what lies in it."""


class Mover(Protocol):
    name: str

    def send(self, tree: Path, /) -> float:
        """Seconds until the store has all files of the folder."""

    def fetch(self, tree: Path) -> float:
        """Seconds until they are in this folder, which is not there yet."""


class Freehold:
    name = "freehold"

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


def measure(store: Store, tree: Path, kept: Kept, counts: Counts, outcome: Outcome) -> None:
    """Each in turn, some rounds, each round into a new bucket; the fastest round counts."""
    movers: dict[str, Callable[[StoreSettings, Path], Mover]] = {
        "freehold": lambda settings, _: Freehold(settings, kept),
        "rclone": Rclone,
        "dvc": Dvc,
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in movers}
    for number in range(counts.rounds):
        for name, make in movers.items():
            slow = bool(times[name]) and sum(times[name][-1]) > PATIENCE
            if slow or f"{name} over {store.kind}" in outcome.not_measured:
                continue
            tell(f"{name} over {store.kind}, round {number + 1}")
            with TemporaryDirectory(dir=".", prefix="moving-") as scratch:
                folder = Path(scratch).resolve()
                try:
                    mover = make(store.settings(), folder)
                    there = mover.send(tree)
                    times[name].append((there, mover.fetch(folder / "back")))
                except PeerFailed as error:
                    outcome.not_measured[f"{name} over {store.kind}"] = str(error)
    what = f"{counts.files:,} files of 20 KB over {store.kind}"
    for name, found in times.items():
        for way, seconds in zip(("there", "back"), zip(*found, strict=True), strict=False):
            outcome.figures[f"{what}, {name}, {way}, s"] = min(seconds)
    _compare(store.kind, what, outcome)


def _compare(kind: str, what: str, outcome: Outcome) -> None:
    for peer in ("rclone", "dvc"):
        mine = f"{what}, freehold"
        for way in ("there", "back"):
            aim = f" (aim: {PEER_AIM:.0f})" if way == "there" and kind in ("S3", "Azure") else ""
            name = f"{what}: {peer} / freehold, {way}{aim}"
            found = outcome.ratio(name, f"{what}, {peer}, {way}, s", f"{mine}, {way}, s")
            if aim:
                outcome.aim(name, found, lambda ratio: ratio >= PEER_AIM)


def limits(tree: Path, kept: Kept, counts: Counts, outcome: Outcome) -> None:
    """Of a folder: hashing and copying the files; looking at an unchanged tree."""
    moved, least, noticed, looked = [], [], [], []
    for _ in range(counts.rounds):
        with TemporaryDirectory(dir=".", prefix="limits-") as name:
            folder = Path(name).resolve()
            least.append(_hashed_and_copied(tree, folder / "copy"))
            mover = Freehold(StoreSettings(f"file://{folder / 'store'}"), kept)
            moved.append(mover.send(tree))
            looked.append(_scanned(tree))
            noticed.append(mover.send(tree))
    what = f"{counts.files:,} files of 20 KB"
    figures = {
        f"{what}, hashed and copied, s": least,
        f"{what}, freehold into a folder, s": moved,
        f"{what}, bare scan, s": looked,
        f"{what}, freehold, nothing new, s": noticed,
    }
    outcome.figures.update({name: min(seconds) for name, seconds in figures.items()})
    for name, one, other, aim in (
        ("freehold into a folder / hashed and copied", moved, least, FOLDER_AIM),
        ("freehold, nothing new / bare scan", noticed, looked, SCAN_AIM),
    ):
        ratio = min(one) / min(other)
        outcome.ratios[f"{name} (aim: {aim})"] = ratio
        outcome.aim(name, ratio, lambda found, most=aim: found <= most)  # type: ignore[misc]


def _hashed_and_copied(tree: Path, copy: Path) -> float:
    begun = time.perf_counter()
    for file in tree.rglob("*.bin"):
        sha256(file.read_bytes())
    shutil.copytree(tree, copy)
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


def tiny(counts: Counts, outcome: Outcome) -> None:
    """Hundreds of thousands of files of 3 KB through a folder."""
    name = "600,000 files of 3 KB through a folder, minutes"
    aim = f"600,000 files of 3 KB in minutes (aim: {MINUTES})"
    if not counts.tiny:
        outcome.figures[name] = None
        outcome.not_measured[name] = "with --full only"
        outcome.aim(aim, None, bool)
        return
    with TemporaryDirectory(dir=".", prefix="tiny-") as scratch:
        folder = Path(scratch).resolve()
        write(folder / "tree", counts.tiny, TINY_BYTES)
        kept = keep(folder / "tree", folder / "objects")
        mover = Freehold(StoreSettings(f"file://{folder / 'store'}"), kept)
        taken = mover.send(folder / "tree") + mover.fetch(folder / "back")
    outcome.figures[name] = taken / 60
    outcome.aim(aim, taken / 60, lambda found: found <= MINUTES)
