"""Artifacts through a folder in a process of its own, so that its peak is its own: the digests are
read from a file while they are taken in, and no list of them is counted."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.peak import peak_bytes
from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.domain.artifact import object_key
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.sending import publish_artifacts


@dataclass(frozen=True)
class Passage:
    there: float
    """Seconds until all are in the store."""
    back: float
    """Seconds until a new site has them."""
    peak: float
    """Megabytes of memory."""


def measured(objects: DiskObjectStore, digests: Sequence[str], folder: Path) -> Passage:
    """`folder`: an empty one for the store and what was fetched."""
    asked = folder / "digests"
    asked.write_text("\n".join(digests))
    key = object_key(digests[0])
    root = objects.path(key).parents[key.count("/")]
    command = [sys.executable, "-m", __spec__.name, str(root), str(asked), str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Passage(**json.loads(done.stdout))


def passed(root: Path, asked: Path, folder: Path) -> Passage:
    store = DiskObjectStore(folder / "store")
    begun = time.perf_counter()
    sent = publish_artifacts(_lines(asked), DiskObjectStore(root), store)
    there = time.perf_counter()
    found = fetch_artifacts(_lines(asked), {"store": store}, DiskObjectStore(folder / "back"))
    back = time.perf_counter()
    count = sum(1 for _ in _lines(asked))
    if sent.artifacts != count or len(found.got) != count:
        raise RuntimeError(f"not all went there and back: {found.faults}")
    return Passage(there - begun, back - there, peak_bytes() / 2**20)


def _lines(asked: Path) -> Iterator[str]:
    with asked.open() as file:
        yield from map(str.rstrip, file)


def main(root: str, asked: str, folder: str) -> None:
    print(json.dumps(asdict(passed(Path(root), Path(asked), Path(folder)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
