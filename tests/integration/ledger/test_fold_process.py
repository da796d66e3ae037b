"""What a second process folds is what one process folds, whatever becomes of the second one."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from histories.world import Clock, World, opened
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.sqlite import fold_process, fold_worker, merging
from freehold.adapters.sqlite.fold_process import FoldProcess, FoldProcessEnded
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft, Fact
from freehold.domain.projection import Change, Folding, Projection, State
from freehold.ports.contracts import kept_logs as contract
from freehold.ports.contracts.kept_logs import MergingLedger

OWN, OTHER = contract.SITES[:2]
MERGED = ("foreign_entries", "logs", "ordered", "state", "undo", "meta")

Kept = dict[str, list[tuple[Any, ...]]]


def kept_in(path: Path) -> Kept:
    """Every table that a merge writes to, as it lies."""
    with closing(sqlite3.connect(path)) as connection:
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in MERGED}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three sites' histories of facts of every type."""
    made = World(tmp_path_factory.mktemp("world"), 7)
    made.play(150)
    made.meet()
    yield made
    made.close()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a short history has many pages, most of them without notes."""
    monkeypatch.setattr(merging, "_PAGE", 7)
    monkeypatch.setattr(merging, "NOTED", 20)


def merged(world: World, path: Path) -> Kept:
    """All logs in one call, and the own one's facts folded among them."""
    with closing(opened(path, "reader-0", Clock(0))) as ledger:
        ledger.append([Draft("run.finished", {"run": "r", "status": "finished"})])
        ledger.receive([log.stretch(name, 0, len(log.lines)) for name, log in _logs(world)])
    return kept_in(path)


def _logs(world: World) -> list[tuple[str, Any]]:
    return [(name, log) for name, log in world.published.items() if log.lines]


@pytest.fixture
def alone(world: World, few: None, tmp_path: Path) -> Kept:
    found = merged(world, tmp_path / "alone.db")
    assert len(found["state"]) > 100
    assert found["undo"]
    return found


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Those that were started, of every merge."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(FoldProcess):
        def __init__(self, folding: Folding) -> None:
            super().__init__(folding)
            started.append(self._process)

    monkeypatch.setattr(merging, "FoldProcess", Noted)
    monkeypatch.setattr(merging, "MANY", 1)
    monkeypatch.setattr(merging, "_processors", lambda: 2)
    monkeypatch.setattr("freehold.adapters.sqlite.ledger.MANY", 1)
    return started


Processes = list["subprocess.Popen[bytes]"]
Beside = Callable[[], None]


@pytest.fixture
def beside(world: World, alone: Kept, processes: Processes, tmp_path: Path) -> Beside:
    """Merges where a second process may be had, and finds what one process writes."""

    def merges() -> None:
        assert merged(world, tmp_path / "beside.db") == alone

    return merges


def test_two_processes_write_what_one_writes(beside: Beside, processes: Processes) -> None:
    beside()
    assert [process.poll() is not None for process in processes] == [True]


def test_a_state_is_rebuilt_by_two_processes(
    world: World, alone: Kept, processes: Processes, tmp_path: Path
) -> None:
    path = tmp_path / "alone.db"
    with closing(opened(path, "reader-0", Clock(0))) as ledger:
        assert cast(SqliteLedger, ledger).rebuild() == len(alone["ordered"])
    assert kept_in(path) == alone
    assert len(processes) == 1


def test_a_log_without_others_is_rebuilt_by_two_processes(
    few: None, processes: Processes, tmp_path: Path
) -> None:
    path, signer = tmp_path / "ledger.db", contract.SIGNERS[OWN]
    made = SqliteLedger(
        path, writer=OWN, signer=signer, clock=Clock(0), projections=[contract.PROJECTION]
    )
    with closing(made) as ledger:
        for number in range(50):
            ledger.append([contract.said("xyz"[number % 3], str(number))])
        before = kept_in(path)
        assert processes == []
        assert ledger.rebuild() == 50
    assert kept_in(path) == before
    assert len(before["state"]) == 6
    assert len(processes) == 1


@pytest.mark.parametrize("after", [0, 1, 2, 5, 20])
def test_a_process_that_is_killed_costs_nothing_but_time(
    beside: Beside,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    told, take = [0], FoldProcess._take

    def killing(self: FoldProcess, *given: Any) -> None:
        if told[0] == after:
            os.kill(processes[-1].pid, signal.SIGKILL)
            processes[-1].wait()
        told[0] += 1
        take(self, *given)

    monkeypatch.setattr(fold_process, "_AHEAD", 2)
    monkeypatch.setattr(FoldProcess, "_take", killing)
    beside()
    assert told[0] > after


@pytest.mark.parametrize(
    "command",
    [
        ("/there/is/no/such/program",),
        (sys.executable, "-c", ""),
        (sys.executable, "-c", "1 / 0"),
        (sys.executable, "-c", "print('what is longer than a size')"),
        (sys.executable, "-c", r"print('\3' + '\0' * 7 + 'abc', flush=True); input()"),
    ],
    ids=["absent", "ends", "fails", "says anything", "says a message"],
)
def test_without_a_second_process_the_first_does_it(
    beside: Beside,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setattr(fold_process, "_COMMAND", command)
    beside()


def test_without_a_thread_the_first_does_it(
    beside: Beside,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(fold_process.threading.Thread, "start", none)
        beside()


def test_a_process_of_another_release_folds_nothing(
    beside: Beside,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its rows would stand under the name of this one."""
    told: list[object] = []
    monkeypatch.setattr(fold_process, "CODE", ("0.0.1", "/elsewhere"))
    monkeypatch.setattr(FoldProcess, "_take", noted_by(told))
    beside()
    assert len(processes) == 1 and told == [FoldProcessEnded]


def noted_by(told: list[object]) -> Callable[..., None]:
    """Takes what a process tells, and notes what comes of it."""
    take = FoldProcess._take

    def noted(self: FoldProcess, *given: Any) -> None:
        try:
            take(self, *given)
        except FoldProcessEnded:
            told.append(FoldProcessEnded)
            raise
        told.append(None)

    return noted


@pytest.mark.parametrize(("own", "others"), [(True, True), (True, False), (False, True)])
def test_an_entry_that_is_missing_is_named(tmp_path: Path, own: bool, others: bool) -> None:
    """Not passed over, and none is folded in its place."""
    ledger = received(tmp_path, contract.PROJECTION, [{"key": "x", "text": "y"}] * 9 * others)
    with closing(ledger):
        ledger.append([contract.said("z", str(number)) for number in range(9)])
        path = tmp_path / f"{OWN}.db"
        table = "entries" if own else "foreign_entries"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"DELETE FROM {table} WHERE sequence = 3")
        before = kept_in(path)
        with pytest.raises(IntegrityError, match=r"entry 3 of .* cannot be read") as raised:
            cast(SqliteLedger, ledger).rebuild()
        assert raised.value.code == "ledger.damaged"
    assert kept_in(path) == before


def test_projections_that_another_process_cannot_have_are_folded_by_this_one(
    processes: Processes, tmp_path: Path
) -> None:
    mine = Projection("mine", 1, frozenset({"a.b"}), lambda fact, _: [Change("t", fact.name, 1)])
    with closing(received(tmp_path, mine, [{}] * 3)) as ledger:
        assert len(list(ledger.state.scan("t"))) == 3
    assert processes == []


def received(
    folder: Path, projection: Projection, bodies: Sequence[Mapping[str, object]]
) -> MergingLedger:
    """A ledger that received facts of another site at once."""
    own, other = (
        SqliteLedger(
            folder / f"{site}.db",
            writer=site,
            signer=contract.SIGNERS[site],
            clock=Clock(0),
            projections=[projection],
        )
        for site in (OWN, OTHER)
    )
    with closing(other):
        other.append([Draft("a.b", body) for body in bodies])
        contract.copy_all(cast(MergingLedger, other), cast(MergingLedger, own))
    return cast(MergingLedger, own)


LOUD = """
from freehold.domain.projection import Change, Projection

def fold(fact, state):
    print("this is no row", flush=True)
    return [Change("t", fact.name, dict(state.scan("t")))]

projection = Projection("loud", 1, frozenset({"a.b"}), fold)
"""


def test_what_a_projection_prints_is_not_taken_for_rows(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud.py").write_text(LOUD)
    monkeypatch.syspath_prepend(tmp_path)
    import loud  # type: ignore[import-not-found]

    with closing(received(tmp_path, loud.projection, [{}] * 3)) as ledger:
        assert list(ledger.state.scan("t")) == [
            (f"{OTHER}/0", {}),
            (f"{OTHER}/1", {f"{OTHER}/0": {}}),
            (f"{OTHER}/2", {f"{OTHER}/0": {}, f"{OTHER}/1": {f"{OTHER}/0": {}}}),
        ]
    assert len(processes) == 1


def test_an_entry_that_is_damaged_is_named(
    world: World, alone: Kept, processes: Processes, tmp_path: Path
) -> None:
    """Its end tells its place; the process that reads all of it gives up, and this one says why."""
    path = tmp_path / "alone.db"
    writer = _logs(world)[0][0]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE foreign_entries SET encoded = CAST(replace(encoded, '\"actor\":', '\"actor\",')"
            " AS BLOB) WHERE writer = ? AND sequence = 3",
            (writer,),
        )
    before = kept_in(path)
    with (
        closing(opened(path, "reader-0", Clock(0))) as ledger,
        pytest.raises(IntegrityError, match=f"entry 3 of {writer} cannot be read") as raised,
    ):
        cast(SqliteLedger, ledger).rebuild()
    assert raised.value.code == "ledger.damaged"
    assert kept_in(path) == before


def test_what_interrupts_a_merge_ends_its_process_and_leaves_nothing(
    world: World, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    opened(path, "reader-0", Clock(0)).close()
    before = kept_in(path)

    def interrupted(self: FoldProcess, *_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FoldProcess, "_take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        merged(world, path)
    after = kept_in(path)
    after["state"] = [row for row in after["state"] if row[0] != "runs"]  # the own fact's
    assert after == before
    assert [process.poll() is not None for process in processes] == [True]
    assert not [one for one in threading.enumerate() if one.name == "ledger-folding"]


def test_a_log_that_is_refused_leaves_no_process(
    world: World, processes: Processes, tmp_path: Path
) -> None:
    name, log = _logs(world)[0]
    lines = [*log.lines[:-1], log.lines[-1].replace(b'"actor":"', b'"actor":"x')]
    with closing(opened(tmp_path / "ledger.db", "reader-0", Clock(0))) as ledger:
        with pytest.raises(IntegrityError):
            ledger.receive([contract.Stretch(name, 0, lines, log.checkpoints)])
        assert [process.poll() is not None for process in processes] == [True]
        assert ledger.receive([log.stretch(name, 0, len(log.lines))]) == len(log.lines)


DIES = """
import os, signal
from freehold.adapters.sqlite.fold_process import FoldProcess, FoldProcessEnded
from freehold.domain.projection import Folding
process = FoldProcess(Folding(()))
print(process._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_ends_with_the_one_that_started_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES], stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    folder = Path("/proc") / done.stdout.strip()
    until = time.monotonic() + 60
    while folder.exists() and "State:\tZ" not in (folder / "status").read_text():
        assert time.monotonic() < until, "it goes on"
        time.sleep(0.02)


# Of two tables, of which one is read in whole.
Step = tuple[str, int]


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    """Whatever a state can be asked, and rows that come, change, and go."""
    what, number = fact.body["what"], fact.body["number"]
    key = f"k{number}"
    if what == "drop":
        yield Change("numbers", key, None)
    elif what == "sum":
        yield Change("sums", fact.name, dict(state.scan("numbers", "k")))
    else:
        yield Change("numbers", key, [*(state.get("numbers", key) or []), fact.sequence])


COUNTED = Projection("counted", 1, frozenset({"a.b"}), _fold)
_steps = st.lists(
    st.tuples(st.sampled_from(["add", "add", "drop", "sum"]), st.integers(0, 5)),
    min_size=1,
    max_size=40,
)


class _Thread:
    """In place of a process, so that its memory can be made small."""

    def __init__(self, *_: object, **__: object) -> None:
        theirs, ours = os.pipe(), os.pipe()
        self.stdin, self.stdout = os.fdopen(theirs[1], "wb"), os.fdopen(ours[0], "rb")
        self._pages, self._told = os.fdopen(theirs[0], "rb"), os.fdopen(ours[1], "wb")
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        with self._pages, self._told:
            fold_worker.work(self._pages, self._told)

    def kill(self) -> None:
        """It ends when it gets no pages any more."""

    def wait(self) -> None:
        """The reading thread, which is waited for, ends with it."""


@settings(deadline=None)
@given(_steps, st.integers(1, 4), st.integers(1, 4), st.integers(1, 9))
def test_rows_that_a_process_forgot_are_asked_for(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[Step],
    recent: int,
    page: int,
    noted: int,
) -> None:
    found = []
    for many in (10**9, 1):
        folder = tmp_path_factory.mktemp("asked")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(merging, "MANY", many)
            patch.setattr(merging, "_processors", lambda: 2)
            patch.setattr(merging, "_PAGE", page)
            patch.setattr(merging, "NOTED", noted)
            patch.setattr(fold_worker, "_RECENT", recent)
            patch.setattr(fold_process.subprocess, "Popen", _Thread)
            bodies = [{"what": what, "number": number} for what, number in steps]
            received(folder, COUNTED, bodies).close()
        found.append(kept_in(folder / f"{OWN}.db"))
    assert found[0] == found[1]
