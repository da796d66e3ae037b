"""Ledgers, and what is particular to SQLite's."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.errors import Conflict, IntegrityError, StorageFailed
from freehold.domain.projection import Projection
from freehold.ports.clock import Clock
from freehold.ports.contracts.ledger import (
    NOTES,
    START,
    TALLY,
    WRITER,
    LedgerContract,
    written,
)
from freehold.ports.contracts.signer import TransientSigner
from freehold.ports.ledger import Ledger


class TestMemoryLedger(LedgerContract):
    def open(
        self,
        folder: Path,
        *,
        signer: TransientSigner,
        clock: Clock,
        projections: Sequence[Projection],
    ) -> Ledger:
        return MemoryLedger(writer=WRITER, signer=signer, clock=clock, projections=projections)

    @pytest.mark.xfail(strict=True, reason="never: memory does not outlive its process")
    def test_it_stands_when_opened_again(
        self, tmp_path: Path, signer: TransientSigner, clock: Clock
    ) -> None:
        super().test_it_stands_when_opened_again(tmp_path, signer, clock)


class TestSqliteLedger(LedgerContract):
    def open(
        self,
        folder: Path,
        *,
        signer: TransientSigner,
        clock: Clock,
        projections: Sequence[Projection],
    ) -> Ledger:
        folder.mkdir(exist_ok=True)
        return SqliteLedger(
            folder / "ledger.db",
            writer=WRITER,
            signer=signer,
            clock=clock,
            projections=projections,
        )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def signer() -> TransientSigner:
    return TransientSigner()


class Opener:
    """Opens one file again and again, and closes all at the end."""

    def __init__(self, path: Path, signer: TransientSigner) -> None:
        self._path, self._signer, self._clock = path, signer, count(START).__next__
        self.opened: list[SqliteLedger] = []

    def __call__(self, *projections: Projection, wait: float = 30.0) -> SqliteLedger:
        ledger = SqliteLedger(
            self._path,
            writer=WRITER,
            signer=self._signer,
            clock=self._clock,
            projections=projections,
            wait=wait,
        )
        self.opened.append(ledger)
        return ledger


@pytest.fixture
def open_ledger(path: Path, signer: TransientSigner) -> Iterator[Opener]:
    opener = Opener(path, signer)
    yield opener
    for ledger in opener.opened:
        ledger.close()


def test_every_commit_is_synced(open_ledger: Opener) -> None:
    connection = open_ledger()._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_full_disk_appends_nothing(open_ledger: Opener) -> None:
    ledger = open_ledger(NOTES)
    ledger.append([written("a", "before")])
    before = list(ledger.lines()), list(ledger.checkpoints()), list(ledger.state.scan("notes"))
    (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
    ledger._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageFailed) as caught:
        ledger.append([written("a", "x" * 100_000)])
    assert caught.value.code == "storage.full"
    after = list(ledger.lines()), list(ledger.checkpoints()), list(ledger.state.scan("notes"))
    assert after == before
    ledger._connection.execute("PRAGMA max_page_count = 100000")
    (entry,) = ledger.append([written("a", "x" * 100_000)])
    assert entry.fact.sequence == 1


def test_a_writer_that_does_not_end_is_reported(open_ledger: Opener, path: Path) -> None:
    ledger = open_ledger(wait=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFailed) as caught:
            ledger.append([written("a")])
        assert caught.value.code == "storage.busy"
        assert list(ledger.lines()) == []
        other.execute("ROLLBACK")
    ledger.append([written("a")])


def test_other_projections_fold_the_log_again(open_ledger: Opener) -> None:
    ledger = open_ledger(NOTES)
    ledger.append([written("a", 1), written("b", 2)])
    assert list(ledger.state.scan("tally")) == []
    both = open_ledger(NOTES, TALLY)
    assert both.state.get("tally", "note.written") == 2
    assert both.state.get("notes", "a") == {"text": 1, "times": 1}
    only = open_ledger(TALLY)
    assert list(only.state.scan("notes")) == []


def test_a_new_version_of_a_projection_folds_the_log_again(open_ledger: Opener) -> None:
    open_ledger(TALLY).append([written("a")])
    twice = replace(TALLY, version=2, fold=lambda fact, state: [*TALLY.fold(fact, state)] * 1)
    ledger = open_ledger(twice)
    assert ledger.state.get("tally", "note.written") == 1
    ledger.append([written("a")])
    assert ledger.state.get("tally", "note.written") == 2


def test_a_process_left_behind_by_a_rebuild_does_not_append(open_ledger: Opener) -> None:
    old = open_ledger(TALLY)
    new = open_ledger(replace(TALLY, version=2))
    with pytest.raises(Conflict) as caught:
        old.append([written("a")])
    assert caught.value.code == "ledger.other-projections"
    assert list(new.lines()) == []
    new.append([written("a")])


def test_opened_without_projections_it_is_read_only(open_ledger: Opener) -> None:
    folded = open_ledger(TALLY)
    folded.append([written("a")])
    bare = open_ledger()
    assert len(list(bare.lines())) == 1
    with pytest.raises(Conflict):
        bare.append([written("b")])
    folded.append([written("b")])
    assert folded.state.get("tally", "note.written") == 2


def test_two_open_ledgers_see_each_other(open_ledger: Opener) -> None:
    one, other = open_ledger(TALLY), open_ledger(TALLY)
    for ledger in (one, other, one):
        ledger.append([written("a")])
    assert [sequence for sequence, _ in other.lines()] == [0, 1, 2]
    assert one.state.get("tally", "note.written") == 3


def test_the_file_of_another_writer(open_ledger: Opener, path: Path) -> None:
    open_ledger()
    with pytest.raises(IntegrityError) as caught:
        SqliteLedger(path, writer="other", signer=TransientSigner(), clock=lambda: 0)
    assert caught.value.code == "ledger.other-writer"


def test_the_file_of_another_layout(open_ledger: Opener, path: Path) -> None:
    open_ledger()
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE meta SET value = '99' WHERE name = 'layout'")
    with pytest.raises(IntegrityError) as caught:
        open_ledger()
    assert caught.value.code == "ledger.other-layout"


def test_what_is_not_a_database(open_ledger: Opener, path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(IntegrityError) as caught:
        open_ledger()
    assert caught.value.code == "ledger.damaged"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        SqliteLedger(
            tmp_path / "no" / "ledger.db", writer="w", signer=TransientSigner(), clock=lambda: 0
        )


def test_a_damaged_end_is_found(open_ledger: Opener, path: Path) -> None:
    open_ledger().append([written("a")])
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE frontier SET roots = x'00'")
    with pytest.raises(IntegrityError) as caught:
        open_ledger()
    assert caught.value.code == "ledger.damaged"


def test_a_closed_ledger_says_so(open_ledger: Opener) -> None:
    ledger = open_ledger()
    ledger.close()
    with pytest.raises(StorageFailed):
        ledger.append([written("a")])
    with pytest.raises(StorageFailed):
        list(ledger.lines())
