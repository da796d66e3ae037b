"""What a large merge wrote goes into the main file while others go on."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from histories.world import Clock

from freehold.adapters.sqlite import ledger as module
from freehold.adapters.sqlite import taking_in
from freehold.adapters.sqlite.connection import LOG, connect
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.errors import IntegrityError
from freehold.ports.contracts import kept_logs as contract
from freehold.ports.contracts.kept_logs import MergingLedger, said, stretch

OWN, OTHER = contract.SITES[:2]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY", 10)


def ledger_of(folder: Path, site: str) -> SqliteLedger:
    return SqliteLedger(
        folder / f"{site}.db",
        writer=site,
        signer=contract.SIGNERS[site],
        clock=Clock(0),
        projections=[contract.PROJECTION],
    )


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[SqliteLedger, SqliteLedger]]:
    """The own one, and another with facts that it has not."""
    with closing(ledger_of(tmp_path, OWN)) as own, closing(ledger_of(tmp_path, OTHER)) as other:
        other.append([said("x", str(number)) for number in range(20)])
        yield own, other


def copy(source: SqliteLedger, target: SqliteLedger) -> None:
    contract.copy_all(cast(MergingLedger, source), cast(MergingLedger, target))


def in_main_file(folder: Path) -> int:
    """Entries of the other that are there without the log."""
    shutil.copy(folder / f"{OWN}.db", folder / "main.db")
    with closing(sqlite3.connect(folder / "main.db")) as connection:
        try:
            (count,) = connection.execute("SELECT COUNT(*) FROM foreign_entries").fetchone()
        except sqlite3.OperationalError:  # no table
            return 0
    return int(count)


def limit_of(ledger: SqliteLedger) -> int:
    """Bytes of the log at which a commit takes it in."""
    (pages,) = ledger._connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    (page,) = ledger._connection.execute("PRAGMA page_size").fetchone()
    return int(pages * page)


def test_a_thread_takes_it_in(both: tuple[SqliteLedger, SqliteLedger], tmp_path: Path) -> None:
    own, other = both
    copy(other, own)
    own._taking_in.wait()
    assert in_main_file(tmp_path) == 20
    assert limit_of(own) == LOG


def test_what_is_small_stays_in_the_log(
    both: tuple[SqliteLedger, SqliteLedger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MANY", 21)
    own, other = both
    copy(other, own)
    own._taking_in.wait()
    assert in_main_file(tmp_path) == 0


def test_others_write_meanwhile(
    both: tuple[SqliteLedger, SqliteLedger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = both
    written = threading.Event()

    def slowly(path: Path, *, wait: float) -> sqlite3.Connection:
        written.wait()
        return connect(path, wait=wait)

    monkeypatch.setattr(taking_in, "connect", slowly)
    copy(other, own)
    own.append([said("x", "mine")])
    written.set()
    own._taking_in.wait()
    assert in_main_file(tmp_path) == 20
    with closing(ledger_of(tmp_path, OWN)) as again:
        assert [key for key, _ in again.state.scan("values")] == ["x"]
        assert again.state.get("values", "x")["text"] == "mine"


def test_where_it_cannot_be_taken_in_all_is_there(
    both: tuple[SqliteLedger, SqliteLedger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, *, wait: float) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(taking_in, "connect", failing)
    own, other = both
    copy(other, own)
    own._taking_in.wait()
    assert in_main_file(tmp_path) == 0
    assert contract.size_of(cast(MergingLedger, own), OTHER) == 20
    with closing(ledger_of(tmp_path, OWN)) as again:
        assert contract.size_of(cast(MergingLedger, again), OTHER) == 20


def test_what_is_refused_leaves_the_limit_as_it_was(
    both: tuple[SqliteLedger, SqliteLedger],
) -> None:
    own, other = both
    given = stretch(cast(MergingLedger, other), OTHER)
    wrong = contract.Stretch(OTHER, 0, [*given.lines[:-1], b"{}"], given.checkpoints)
    with pytest.raises(IntegrityError):
        own.receive([wrong])
    assert limit_of(own) == LOG
    copy(other, own)
    assert contract.size_of(cast(MergingLedger, own), OTHER) == 20
