"""Every ledger that holds other writers' logs."""

import random
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from sqlite3 import connect
from typing import cast

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.adapters.sqlite import merging, state
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain import ordering
from freehold.domain.projection import Projection
from freehold.ports.clock import Clock
from freehold.ports.contracts import kept_logs as contract
from freehold.ports.contracts.kept_logs import KeptLogsContract, MergingLedger, state_of


class TestMemoryLedger(KeptLogsContract):
    def open(
        self, site: str, clock: Clock, folder: Path, projections: Sequence[Projection]
    ) -> MergingLedger:
        signer = contract.SIGNERS[site]
        ledger = MemoryLedger(writer=site, signer=signer, clock=clock, projections=projections)
        return cast(MergingLedger, ledger)


class TestSqliteLedger(KeptLogsContract):
    def open(
        self, site: str, clock: Clock, folder: Path, projections: Sequence[Projection]
    ) -> MergingLedger:
        folder.mkdir(exist_ok=True)
        ledger = SqliteLedger(
            folder / "ledger.db",
            writer=site,
            signer=contract.SIGNERS[site],
            clock=clock,
            projections=projections,
        )
        return cast(MergingLedger, ledger)


class TestSqliteLedgerWithFewNotes(TestSqliteLedger):
    """Folds anew where it cannot unfold far enough back."""

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(merging, "NOTED", 3)


class TestSqliteLedgerByPieces(TestSqliteLedgerWithFewNotes):
    """Entries, places and rows come and go by a few."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(merging, "_PAGE", 2)
        monkeypatch.setattr(state, "_GATHERED", 3)
        monkeypatch.setattr(ordering, "KEPT", 2)


def sqlite(folder: Path, site: str) -> SqliteLedger:
    folder.mkdir(exist_ok=True)
    return SqliteLedger(
        folder / f"{site}.db",
        writer=site,
        signer=contract.SIGNERS[site],
        clock=count(contract.START, 7).__next__,
        projections=[contract.PROJECTION],
    )


@pytest.mark.parametrize("seed", range(8))
def test_sqlite_and_memory_agree_after_every_meeting(tmp_path: Path, seed: int) -> None:
    """Unfolding and folding on gives what folding everything anew gives."""
    chance = random.Random(seed)
    a, b = (cast(MergingLedger, sqlite(tmp_path, site)) for site in contract.SITES[:2])
    for _ in range(40):
        ledger = chance.choice([a, b])
        ledger.append([contract.said(chance.choice("xy"), chance.choice(["1", "gone"]))])
        if chance.random() < 0.5:
            source, target = chance.sample([a, b], 2)
            contract.copy_all(source, target)
            before = state_of(target)
            cast(SqliteLedger, target).rebuild()
            assert state_of(target) == before
    a.close()
    b.close()


def test_a_file_that_holds_many_logs_is_opened_again(tmp_path: Path) -> None:
    a, b = (cast(MergingLedger, sqlite(tmp_path, site)) for site in contract.SITES[:2])
    a.append([contract.said("x", "1")])
    b.append([contract.said("x", "2")])
    contract.copy_all(a, b)
    b.continue_as(f"{b.writer}.2", contract.SIGNERS[contract.SITES[1]], 1)
    b.append([contract.said("x", "3")])
    before = state_of(b)
    b.close()
    again = sqlite(tmp_path, contract.SITES[1])
    assert again.writer == f"{contract.SITES[1]}.2"
    assert state_of(again) == before
    again.append([contract.said("x", "4")])
    again.close()
    a.close()


def test_a_file_of_the_layout_before_is_opened(tmp_path: Path) -> None:
    """There the entries of others lay in the tree of their key."""
    a, b = (cast(MergingLedger, sqlite(tmp_path, site)) for site in contract.SITES[:2])
    a.append([contract.said("x", str(number)) for number in range(5)])
    contract.copy_all(a, b)
    before, lines = state_of(b), list(b.log_lines(a.writer))
    b.close()
    with closing(connect(tmp_path / f"{contract.SITES[1]}.db")) as file, file:
        file.executescript(
            "ALTER TABLE foreign_entries RENAME TO new; CREATE TABLE foreign_entries"
            " (writer TEXT NOT NULL, sequence INTEGER NOT NULL, encoded BLOB NOT NULL,"
            " leaf BLOB NOT NULL, PRIMARY KEY (writer, sequence)) WITHOUT ROWID;"
            "INSERT INTO foreign_entries SELECT * FROM new; DROP TABLE new;"
            "UPDATE meta SET value = '2' WHERE name = 'layout'"
        )
    again = sqlite(tmp_path, contract.SITES[1])
    assert list(again.log_lines(a.writer)) == lines and len(lines) == 5
    assert state_of(again) == before
    a.append([contract.said("y", "6")])
    assert contract.copy_all(a, cast(MergingLedger, again)) == 1
    again.close()
    a.close()
