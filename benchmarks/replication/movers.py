"""The files to each kind of store and back, beside those who move files.

Peers run twice: with their own defaults, and told to move 32 files at a time.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from benchmarks.outcome import Outcome, tell
from benchmarks.peers.copying import MANY, Dvc, Rclone
from benchmarks.peers.setup import PeerFailed, installed_version, interpreter
from benchmarks.replication.counts import Counts
from benchmarks.replication.files import Freehold, Kept
from benchmarks.replication.stores import Store
from freehold.ports.object_store import StoreSettings

PEER_AIM = 10.0
PATIENCE = 10.0
"""Seconds of one round from which on the others are left out."""
TUNED = f", {MANY} at a time"
PEERS = ("rclone", f"rclone{TUNED}", "dvc", f"dvc{TUNED}")


class Mover(Protocol):
    fetches: bool
    """Whether the way back is measured too."""

    def send(self, tree: Path, /) -> float:
        """Seconds until the store has all files of the folder."""

    def fetch(self, tree: Path) -> float:
        """Seconds until they are in this folder, which is not there yet."""


def measure(store: Store, tree: Path, kept: Kept, counts: Counts, outcome: Outcome) -> None:
    """Each in turn, some rounds, each round into a new bucket; the fastest round counts."""
    movers: dict[str, Callable[[StoreSettings, Path], Mover]] = {
        "freehold": lambda settings, _: Freehold(settings, kept)
    }
    if store.kind in counts.peers_over:
        makers = (Rclone, partial(Rclone, tuned=True), Dvc, partial(Dvc, tuned=True))
        movers |= dict(zip(PEERS, makers, strict=True))
    there: dict[str, list[float]] = {name: [] for name in movers}
    back: dict[str, list[float]] = {name: [] for name in movers}
    for number in range(counts.rounds):
        for name, make in movers.items():
            slow = max(there[name][-1:] + back[name][-1:], default=0) > PATIENCE
            if slow or f"{name} over {store.kind}" in outcome.not_measured:
                continue
            tell(f"{name} over {store.kind}, round {number + 1}")
            with TemporaryDirectory(dir=".", prefix="moving-") as scratch:
                folder = Path(scratch).resolve()
                try:
                    mover = make(store.settings(), folder)
                    there[name].append(mover.send(tree))
                    if mover.fetches:
                        back[name].append(mover.fetch(folder / "back"))
                except PeerFailed as error:
                    outcome.not_measured[f"{name} over {store.kind}"] = str(error)
    what = f"{counts.files:,} files of 20 KB over {store.kind}"
    for name in movers:
        for way, found in (("there", there[name]), ("back", back[name])):
            if found:
                outcome.figures[f"{what}, {name}, {way}, s"] = min(found)
    for name in PEERS if len(movers) > 1 else ():
        _compare(store.kind, what, name, outcome)


def _compare(kind: str, what: str, peer: str, outcome: Outcome) -> None:
    for way in ("there", "back"):
        if way == "back" and peer.endswith(TUNED):
            continue
        aim = f" (aim: {PEER_AIM:.0f})" if way == "there" and kind in ("S3", "Azure") else ""
        name = f"{what}: {peer} / freehold, {way}{aim}"
        theirs, mine = f"{what}, {peer}, {way}, s", f"{what}, freehold, {way}, s"
        found = outcome.ratio(name, theirs, mine)
        if aim:
            outcome.aim(name, found, lambda ratio: ratio >= PEER_AIM)


def note_peers(kinds: list[str], outcome: Outcome) -> None:
    """A machine that cannot have DVC measures the rest."""
    try:
        interpreter("dvc")
        outcome.versions["dvc"] = installed_version("dvc")
    except PeerFailed as error:
        unable = [name for name in PEERS if name.startswith("dvc")]
        for kind in kinds:
            outcome.not_measured.update({f"{name} over {kind}": str(error) for name in unable})
