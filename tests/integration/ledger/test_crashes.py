"""kill -9 in the middle of appends: what was acknowledged stands, once, and the state opens."""

from collections import Counter
from pathlib import Path
from types import ModuleType

import orjson
import pytest

from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.governance.history import verify_ledger
from freehold.ports.contracts.ledger import NOTES, START, TALLY, WRITER, written

APPENDS = 24
SCRIPT = """
import sys
from itertools import count
from pathlib import Path
from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.fact import Draft
from freehold.domain.projection import Change, Projection

def notes(fact, state):
    before = state.get("notes", fact.body["key"]) or {"times": 0}
    yield Change("notes", fact.body["key"],
                 {"text": fact.body["text"], "times": before["times"] + 1})

def tally(fact, state):
    yield Change("tally", fact.type, (state.get("tally", fact.type) or 0) + 1)

folder = Path(sys.argv[1])
ledger = SqliteLedger(
    folder / "ledger.db", writer="laptop", signer=FileSigner(folder / "site.key"),
    clock=count(1_700_000_000_000_000).__next__,
    projections=(
        Projection("notes", 1, frozenset({"note.written", "note.forgotten"}), notes),
        Projection("tally", 1, frozenset({"note.written", "thing.done"}), tally),
    ),
)
for number in range(24):
    texts = [f"{number}.{part}" for part in range(1 + number % 4)]
    ledger.append([Draft("note.written", {"key": f"{number % 5}", "text": t}) for t in texts])
    acknowledge(number)
ledger.close()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FileSigner.create(tmp_path / "site.key")
    return tmp_path


@pytest.fixture(scope="module")
def lines(crash: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> int:
    folder = tmp_path_factory.mktemp("whole")
    FileSigner.create(folder / "site.key")
    passed = crash.count_lines(SCRIPT, [folder])
    assert passed > 1000
    return int(passed)


def check_what_stands(folder: Path, acknowledged: tuple[str, ...]) -> None:
    signer = FileSigner(folder / "site.key")
    ledger = SqliteLedger(
        folder / "ledger.db",
        writer=WRITER,
        signer=signer,
        clock=lambda: START + 10**9,
        projections=(NOTES, TALLY),
    )
    report = verify_ledger(ledger, signer.public)
    assert report.holds, report.faults
    texts = [orjson.loads(line)["body"]["text"] for _, line in ledger.lines()]
    found = Counter(text.split(".")[0] for text in texts)
    assert len(set(texts)) == len(texts)
    assert all(size == 1 + int(number) % 4 for number, size in found.items())
    assert set(acknowledged) <= set(found)
    assert len(set(found) - set(acknowledged)) <= 1
    state = [list(ledger.state.scan(table)) for table in ("notes", "tally")]
    assert ledger.rebuild() == len(texts)
    assert [list(ledger.state.scan(table)) for table in ("notes", "tally")] == state
    (entry,) = ledger.append([written("later", "99.0")])
    assert entry.fact.sequence == len(texts)
    assert verify_ledger(ledger, signer.public).entries == len(texts) + 1
    ledger.close()


def kill_between_lines(crash: ModuleType, folder: Path, lines: int, seed: int) -> None:
    outcome = crash.run_until_killed(SCRIPT, [folder], seed=seed, lines=lines)
    assert outcome.killed and outcome.place
    check_what_stands(folder, outcome.acknowledged)


def kill_from_outside(crash: ModuleType, folder: Path, seed: int) -> None:
    outcome = crash.run_until_killed_by_parent(
        SCRIPT, [folder], seed=seed, acknowledgements=APPENDS - 4
    )
    assert outcome.acknowledged
    check_what_stands(folder, outcome.acknowledged)


@pytest.mark.parametrize("seed", range(6))
def test_killed_between_two_lines(crash: ModuleType, folder: Path, lines: int, seed: int) -> None:
    kill_between_lines(crash, folder, lines, seed)


@pytest.mark.parametrize("seed", range(2))
def test_killed_from_outside(crash: ModuleType, folder: Path, seed: int) -> None:
    kill_from_outside(crash, folder, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 150))
def test_killed_between_two_lines_often(
    crash: ModuleType, folder: Path, lines: int, seed: int
) -> None:
    kill_between_lines(crash, folder, lines, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_killed_from_outside_often(crash: ModuleType, folder: Path, seed: int) -> None:
    kill_from_outside(crash, folder, seed)


def test_a_script_that_is_not_killed_acknowledges_all(crash: ModuleType, folder: Path) -> None:
    outcome = crash.run_until_killed(SCRIPT, [folder], seed=1, lines=10**9)
    assert not outcome.killed
    assert outcome.acknowledged == tuple(map(str, range(APPENDS)))
    check_what_stands(folder, outcome.acknowledged)


def test_a_script_that_raises_is_not_taken_for_a_kill(crash: ModuleType) -> None:
    with pytest.raises(crash.CrashFailed, match="ZeroDivisionError"):
        crash.count_lines("1 / 0")
