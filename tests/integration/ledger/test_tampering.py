"""Damage done to the ledger's file itself, by hand and by the byte."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import FreeholdError
from freehold.domain.merkle import leaf_hash
from freehold.governance.history import HistoryReport, verify_ledger
from freehold.ports.contracts.ledger import WRITER, written
from freehold.ports.contracts.signer import TransientSigner

SIGNER = TransientSigner()


def opened(path: Path) -> SqliteLedger:
    return SqliteLedger(path, writer=WRITER, signer=SIGNER, clock=count(10**15).__next__)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Twelve entries under three checkpoints."""
    ledger = opened(tmp_path / "ledger.db")
    for size in (5, 4, 3):
        ledger.append([written(str(number), "text") for number in range(size)])
    ledger.close()
    return tmp_path / "ledger.db"


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def verified(path: Path, against: Checkpoint | None = None) -> HistoryReport:
    with closing(opened(path)) as ledger:
        return verify_ledger(ledger, SIGNER.public, against)


def head(path: Path) -> Checkpoint:
    with closing(opened(path)) as ledger:
        return list(ledger.checkpoints())[-1]


def _rewrite(database: sqlite3.Connection) -> None:
    database.execute(
        "UPDATE entries SET encoded = replace(encoded, 'text', 'tort') WHERE sequence = 7"
    )


def _rewrite_with_leaf(database: sqlite3.Connection) -> None:
    _rewrite(database)
    (encoded,) = database.execute("SELECT encoded FROM entries WHERE sequence = 7").fetchone()
    data = encoded if isinstance(encoded, bytes) else encoded.encode()
    database.execute("UPDATE entries SET leaf = ? WHERE sequence = 7", (leaf_hash(data),))


def _drop(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM entries WHERE sequence = 7")


def _drop_and_number_anew(database: sqlite3.Connection) -> None:
    _drop(database)
    database.execute("UPDATE entries SET sequence = sequence - 1 WHERE sequence > 7")


def _swap(database: sqlite3.Connection) -> None:
    for old, new in ((7, -1), (10, 7), (-1, 10)):
        database.execute("UPDATE entries SET sequence = ? WHERE sequence = ?", (new, old))


def _move_the_last(database: sqlite3.Connection) -> None:
    database.execute("UPDATE entries SET sequence = 90 WHERE sequence = 11")


@pytest.mark.parametrize(
    ("damage", "first_bad"),
    [
        (_rewrite, 7),
        (_rewrite_with_leaf, 5),
        (_drop, 7),
        (_drop_and_number_anew, 7),
        (_swap, 7),
        (lambda database: database.execute("DELETE FROM entries"), 0),
        (lambda database: database.execute("DELETE FROM checkpoints"), 0),
        (lambda database: database.execute("DELETE FROM checkpoints WHERE size = 12"), 9),
        (_move_the_last, 11),
    ],
)  # fmt: skip
def test_the_first_bad_entry_is_named(
    path: Path,
    database: sqlite3.Connection,
    damage: Callable[[sqlite3.Connection], object],
    first_bad: int,
) -> None:
    damage(database)
    report = verified(path)
    assert report.first_bad == first_bad, report.faults


@pytest.mark.parametrize(
    "change", ["replace(encoded, '\"size\":9', '\"size\":8')", "'{}'", "x'ff'"]
)
def test_a_broken_checkpoint_is_named(
    path: Path, database: sqlite3.Connection, change: str
) -> None:
    database.execute(f"UPDATE checkpoints SET encoded = {change} WHERE size = 9")
    report = verified(path)
    assert [fault.kind for fault in report.faults] == ["checkpoint.signature"]
    assert "size 9" in report.faults[0].what and report.entries == 12


def test_a_truncation_shows_against_a_kept_checkpoint(
    path: Path, database: sqlite3.Connection
) -> None:
    kept = head(path)
    for statement in ("entries WHERE sequence >= 9", "checkpoints WHERE size > 9"):
        database.execute(f"DELETE FROM {statement}")
    assert verified(path).holds
    report = verified(path, kept)
    assert [(fault.kind, fault.sequence) for fault in report.faults] == [("truncated", 9)]


def test_a_tail_signed_anew_by_the_keys_holder_shows_against_a_kept_checkpoint(
    path: Path, tmp_path: Path
) -> None:
    kept = head(path)
    forged = tmp_path / "forged.db"
    with closing(opened(forged)) as ledger:
        for size in (5, 4, 6):
            ledger.append([written(str(number), "told otherwise") for number in range(size)])
    assert verified(forged).holds
    assert [fault.kind for fault in verified(forged, kept).faults] == ["signed-anew"]
    with closing(opened(path)) as ledger:
        ledger.append([written("more")])
    assert verified(path, kept).holds


def _contents(path: Path) -> tuple[object, ...]:
    with closing(opened(path)) as ledger:
        report = verify_ledger(ledger, SIGNER.public)
        assert report.holds, report.faults
        return list(ledger.lines()), list(ledger.leaves()), list(ledger.checkpoints())


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_of_the_file_is_found_or_is_of_no_entry_and_no_checkpoint(
    path: Path, tmp_path: Path, seed: int
) -> None:
    before = _contents(path)
    data = bytearray(path.read_bytes())
    chosen = random.Random(seed)
    used = [at for at, byte in enumerate(data) if byte]
    data[chosen.choice(used)] ^= 1 << chosen.randrange(8)
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(data)
    try:
        after = _contents(damaged)
    except (FreeholdError, AssertionError):
        return
    assert after == before


def test_a_file_cut_in_half_is_an_error_or_a_fault(path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.db"
    shutil.copy(path, cut)
    with cut.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises((FreeholdError, AssertionError)):
        _contents(cut)
