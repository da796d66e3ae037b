"""How many facts a second can be appended durably, and verified?

The limit beside it: the same bytes, hashed and signed alike, inserted by hand into SQLite with the
same durability, in the same run. The best of several rounds each, in turns, since the disk is
shared. `python -m benchmarks.ledger [--json]`
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import report, versions_of
from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.fact import Draft
from freehold.domain.merkle import Frontier, leaf_hash
from freehold.governance.history import verify_ledger

GROUP = 100
GROUPED, SINGLE, ROUNDS = 40_000, 1_000, 3


def draft(number: int) -> Draft:
    body = {
        "artifacts": {"output": "sha256:" + "5e" * 32},
        "microseconds": 5230,
        "run": "r-0123456789abcdef",
        "step": f"train-{number % 20}",
    }
    return Draft("step.completed", body, cause=("laptop/17",), actor="person-7f3a")


def opened(folder: Path) -> SqliteLedger:
    signer = FileSigner(folder / "site.key")
    return SqliteLedger(
        folder / "ledger.db", writer="laptop", signer=signer, clock=lambda: time.time_ns() // 1000
    )


def ours(count: int, group: int, folder: Path) -> float:
    """Seconds to append."""
    drafts = [draft(number) for number in range(count)]
    with closing(opened(folder)) as ledger:
        start = time.perf_counter()
        for at in range(0, count, group):
            ledger.append(drafts[at : at + group])
        return time.perf_counter() - start


def by_hand(encoded: Sequence[bytes], group: int, folder: Path) -> float:
    """Seconds to hash, sign and insert bytes that are there already."""
    signer, frontier = FileSigner(folder / "site.key"), Frontier()
    with closing(sqlite3.connect(folder / "raw.db", isolation_level=None)) as database:
        database.execute("PRAGMA page_size = 16384")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA wal_autocheckpoint = 1000")
        database.execute("CREATE TABLE entries (sequence INTEGER PRIMARY KEY, data, leaf)")
        database.execute("CREATE TABLE roots (size INTEGER PRIMARY KEY, root, signature)")
        start = time.perf_counter()
        for at in range(0, len(encoded), group):
            rows = [
                (n, data, leaf_hash(data)) for n, data in enumerate(encoded[at : at + group], at)
            ]
            for _, _, leaf in rows:
                frontier.add(leaf)
            root = frontier.root()
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
            roots = (frontier.size, root, signer.sign(root))
            database.execute("INSERT INTO roots VALUES (?, ?, ?)", roots)
            database.execute("COMMIT")
        return time.perf_counter() - start


def verified(folder: Path) -> float:
    """Seconds to verify the ledger that lies there."""
    with closing(opened(folder)) as ledger:
        start = time.perf_counter()
        found = verify_ledger(ledger, FileSigner(folder / "site.key").public)
        taken = time.perf_counter() - start
    if not found.holds or found.entries != GROUPED:
        raise RuntimeError(f"the benchmark's own ledger does not verify: {found.faults}")
    return taken


def hashed_by_hand(folder: Path) -> float:
    """Seconds to read the bytes from SQLite and hash them to a root, checking nothing else."""
    frontier = Frontier()
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        start = time.perf_counter()
        for (data,) in database.execute("SELECT encoded FROM entries ORDER BY sequence"):
            frontier.add(leaf_hash(data))
        frontier.root()
        return time.perf_counter() - start


def in_a_new_folder(measure: Callable[[Path], float]) -> float:
    with TemporaryDirectory(dir=".") as name:
        FileSigner.create(Path(name) / "site.key")
        return measure(Path(name))


def main() -> None:
    with TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        FileSigner.create(folder / "site.key")
        ours(GROUPED, GROUP, folder)
        with closing(opened(folder)) as ledger:
            encoded = [data for _, data in ledger.lines()]
        contests: dict[str, tuple[int, Callable[[], float], Callable[[], float]]] = {
            "appended, in groups of 100": (
                GROUPED,
                partial(in_a_new_folder, partial(ours, GROUPED, GROUP)),
                partial(in_a_new_folder, partial(by_hand, encoded, GROUP)),
            ),
            "appended, each on its own": (
                SINGLE,
                partial(in_a_new_folder, partial(ours, SINGLE, 1)),
                partial(in_a_new_folder, partial(by_hand, encoded[:SINGLE], 1)),
            ),
            "verified": (GROUPED, partial(verified, folder), partial(hashed_by_hand, folder)),
        }
        figures: dict[str, float | None] = {}
        ratios: dict[str, float | None] = {}
        for what, (count, mine, limit) in contests.items():
            rounds = [(mine(), limit()) for _ in range(ROUNDS)]
            best, fastest = (min(times) for times in zip(*rounds, strict=True))
            figures[f"{what}: freehold, facts/s"] = count / best
            figures[f"{what}: SQLite by hand, facts/s"] = count / fastest
            ratios[f"{what}: freehold over by hand"] = fastest / best
    versions = versions_of("cryptography", "orjson") | {"sqlite": sqlite3.sqlite_version}
    report(
        "How many facts a second can be appended durably, and verified?", figures, ratios, versions
    )


if __name__ == "__main__":
    main()
