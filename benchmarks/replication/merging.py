"""Three histories into one ledger: how many entries a second, in how much memory.

Each measurement is a process of its own, so that its peak is its own; that of the process which
folds beside it is added.
"""

import json
import shutil
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.outcome import Outcome, tell
from benchmarks.peak import peak_bytes
from benchmarks.replication import history
from benchmarks.replication.counts import Counts
from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.sqlite.connection import connect, take_in_at
from freehold.adapters.sqlite.fold_process import FoldProcess
from freehold.adapters.sqlite.schema import prepare
from freehold.app.site.opening import PROJECTIONS
from freehold.ports.ledger import Stretch
from freehold.replication.publishing import publish_log
from freehold.replication.pulling import pull_log

OWN, OTHERS = "onprem", ("aws", "azure")
RATE = 50_000
FLAT = 1.2
WRITTEN = ("foreign_entries", "ordered", "state")
"""Tables that a merge fills; the own entries are there before it."""


def measure(counts: Counts, outcome: Outcome) -> None:
    peaks = {}
    for size in (counts.entries, counts.more):
        with TemporaryDirectory(dir=".", prefix="merge-") as name:
            folder = Path(name)
            tell(f"writing three histories of {size:,} entries")
            _write(folder, size)
            # The larger ones are there for their memory, which one round tells.
            rounds = counts.rounds if size == counts.entries else 1
            pulled = [_child("pulled", folder) for _ in range(rounds)]
            peaks[size] = min(one["peak"] for one in pulled) / 2**20
            what = f"three histories of {size:,} entries"
            rate = 3 * size / min(one["seconds"] for one in pulled)
            outcome.figures[f"{what}, pulled from a folder, entries/s"] = rate
            outcome.figures[f"{what}, pulled from a folder, peak MB"] = peaks[size]
            if size == counts.entries:
                received = [_child("received", folder) for _ in range(counts.rounds)]
                rate = 3 * size / min(one["seconds"] for one in received)
                outcome.figures[f"{what}, received, entries/s"] = rate
                outcome.aim(f"merge over {RATE:,} entries/s", rate, lambda found: found > RATE)
                written = [_child("rows", folder) for _ in range(counts.rounds)]
                limit = 3 * size / min(one["seconds"] for one in written)
                outcome.figures[f"{what}, SQLite alone writing what that writes, entries/s"] = limit
                outcome.ratios["received, over SQLite alone"] = rate / limit
    growth = peaks[counts.more] / peaks[counts.entries]
    aim = f"memory, {counts.more:,} over {counts.entries:,} entries (aim: {FLAT})"
    outcome.ratios[aim] = growth
    outcome.aim(aim, growth, lambda found: found <= FLAT)


def _write(folder: Path, size: int) -> None:
    """The own history with its state; those of the others as they lie in a store. All are of the
    same time, so that the facts of each stand between those of the others."""
    store = DiskObjectStore(folder / "store")
    for number, site in enumerate((OWN, *OTHERS)):
        clock = count(history.START + number, history.APART).__next__
        projections = PROJECTIONS if site == OWN else ()
        with closing(history.opened(folder / site, site, clock, projections)) as ledger:
            history.write(ledger, site, size)
            if site != OWN:
                publish_log(ledger, site, history.signer_of(folder / site).public, store)


def _child(how: str, folder: Path) -> dict[str, float]:
    with TemporaryDirectory(dir=folder) as name:
        shutil.copytree(folder / OWN, Path(name) / OWN)
        command = [sys.executable, "-m", __spec__.name, how, str(folder), name]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def pulled(folder: Path, own: Path) -> float:
    """Seconds for both logs, read one after the other and folded together, as sites meet."""
    clock = count(history.START * 2, history.APART).__next__
    stores = {"store": DiskObjectStore(folder / "store")}
    keys = {site: history.signer_of(folder / site).public for site in OTHERS}
    with closing(history.opened(own / OWN, OWN, clock, PROJECTIONS)) as ledger:
        begun = time.perf_counter()
        for site, key in keys.items():
            found = pull_log(site, ledger, stores, key, fold=False)
            if found.faults or not found.entries:
                raise RuntimeError(f"the benchmark's own log was not taken: {found.faults}")
        ledger.receive(())
        return time.perf_counter() - begun


def received(folder: Path, own: Path) -> float:
    """Seconds for both logs in one transaction, whose lines are in memory."""
    clock = count(history.START * 2, history.APART).__next__
    stretches = []
    for site in OTHERS:
        with closing(history.opened(folder / site, site, clock, ())) as other:
            lines = [line for _, line in other.lines()]
            stretches.append(Stretch(site, 0, lines, list(other.checkpoints())))
    with closing(history.opened(own / OWN, OWN, clock, PROJECTIONS)) as ledger:
        begun = time.perf_counter()
        ledger.receive(stretches)
        return time.perf_counter() - begun


def rows(folder: Path, own: Path) -> float:
    """Seconds in which SQLite writes the rows of the merged ledger and does nothing else: what is
    left if reading, verifying, ordering and folding cost nothing."""
    received(folder, own)
    with (
        closing(connect(own / OWN / "ledger.db", wait=1)) as merged,
        closing(connect(own / "rows.db", wait=1)) as written,
    ):
        prepare(written, own / "rows.db", OWN)
        found = {name: merged.execute(f"SELECT * FROM {name}").fetchall() for name in WRITTEN}
        take_in_at(written, 0)  # a merge does not wait for that either
        begun = time.perf_counter()
        written.execute("BEGIN IMMEDIATE")
        for name, all_of in found.items():
            places = ", ".join("?" * len(all_of[0]))
            written.executemany(f"INSERT INTO {name} VALUES ({places})", all_of)
        written.execute("COMMIT")
        return time.perf_counter() - begun


def main(how: str, folder: str, own: str) -> None:
    work = {"pulled": pulled, "received": received, "rows": rows}[how]
    beside: list[int] = []
    close = FoldProcess.close

    def measured(process: FoldProcess) -> None:
        if process.pid is not None:
            beside.append(peak_bytes(process.pid))
        close(process)

    FoldProcess.close = measured  # type: ignore[method-assign]
    seconds = work(Path(folder), Path(own))
    print(json.dumps({"seconds": seconds, "peak": peak_bytes() + max(beside, default=0)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
