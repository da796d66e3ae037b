"""Rows that one statement writes are those that were given, and none outlives a rollback."""

import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.sqlite import bulk
from freehold.adapters.sqlite.bulk import Behind, insert_entries, replace_rows
from freehold.adapters.sqlite.connection import connect
from freehold.adapters.sqlite.marks import Marks
from freehold.adapters.sqlite.schema import prepare
from freehold.adapters.sqlite.state import GatheredState, SqliteState

_keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
_values = st.binary(min_size=1, max_size=20)


def opened(path: Path) -> sqlite3.Connection:
    connection = connect(path, wait=1.0)
    prepare(connection, path, "own")
    return connection


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    made = opened(tmp_path_factory.mktemp("bulk") / "ledger.db")
    yield made
    made.close()


@settings(deadline=None)
@given(st.dictionaries(_keys, _values, max_size=9), st.integers(1, 60))
def test_rows_come_back(connection: sqlite3.Connection, rows: dict[str, bytes], most: int) -> None:
    connection.execute("DELETE FROM state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "_PART", most)
        replace_rows(connection, "t", list(rows), [b"old" for _ in rows])
        replace_rows(connection, "t", list(rows), list(rows.values()))
    found = connection.execute('SELECT "table", key, value, typeof(key) FROM state').fetchall()
    assert sorted(found) == sorted(("t", key, value, "text") for key, value in rows.items())


@settings(deadline=None)
@given(st.lists(_values, max_size=9), st.integers(1, 60), st.integers(0, 5))
def test_entries_come_back(
    connection: sqlite3.Connection, lines: list[bytes], most: int, first: int
) -> None:
    leaves = [bytes([at]) * 32 for at in range(len(lines))]
    connection.execute("DELETE FROM foreign_entries")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "_PART", most)
        insert_entries(connection, "wrïter", first, lines, leaves)
    found = connection.execute("SELECT * FROM foreign_entries ORDER BY sequence").fetchall()
    expected = zip(range(first, first + len(lines)), lines, leaves, strict=True)
    assert found == [("wrïter", *row) for row in expected]


def test_what_the_work_raises_is_raised_by_whoever_waits(tmp_path: Path) -> None:
    connection = opened(tmp_path / "ledger.db")
    connection.execute("BEGIN")
    with pytest.raises(sqlite3.IntegrityError), Behind() as behind:
        for _ in range(2):
            behind.begin(lambda: insert_entries(connection, "w", 0, [b"x"], [bytes(32)]))
    assert not connection.in_transaction
    assert connection.execute("SELECT COUNT(*) FROM foreign_entries").fetchone() == (0,)
    connection.close()


def test_nothing_is_written_behind_who_left() -> None:
    """Whatever ended the caller's part: a rollback comes after the work, never before it."""
    may_end, ended = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait()
        ended.set()

    with pytest.raises(KeyboardInterrupt), Behind() as behind:
        behind.begin(work)
        threading.Timer(0.05, may_end.set).start()
        raise KeyboardInterrupt
    assert ended.is_set()


def test_an_interrupt_while_waiting_passes_on_once_the_work_has_ended() -> None:
    may_end, ended = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait()
        ended.set()

    def interrupted(*_: object) -> None:
        threading.Timer(0.05, may_end.set).start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        with pytest.raises(KeyboardInterrupt), Behind() as behind:
            behind.begin(work)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.is_set()


@settings(deadline=None)
@given(st.sets(st.tuples(_keys, _keys)))
def test_no_mark_is_lost(rows: set[tuple[str, str]]) -> None:
    marks = Marks()
    for row in rows:
        marks.add(*row)
    assert all(marks.may_have(*row) for row in rows)


def test_few_rows_are_taken_for_written_that_were_not() -> None:
    marks = Marks()
    for number in range(200_000):
        marks.add("t", f"written-{number}")
    wrong = sum(marks.may_have("t", f"other-{number}") for number in range(200_000))
    assert wrong < 20


_steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.none() | st.integers(0, 9))
    | st.sampled_from(["flush", "behind", "scan"]),
    max_size=30,
)


@settings(deadline=None)
@given(_steps, st.booleans())
def test_a_gathered_state_tells_what_was_written_last(
    connection: sqlite3.Connection, steps: list[object], empty: bool
) -> None:
    connection.execute("DELETE FROM state")
    expected: dict[tuple[str, str], int | None] = {}
    stored = SqliteState(lambda: nullcontext(connection))
    with Behind() as behind:
        state = GatheredState(stored, behind, empty=empty)
        for step in steps:
            if isinstance(step, tuple):
                table, key, value = step
                state.write([(table, key, None if value is None else b"%d" % value)])
                expected[table, key] = value
            elif step == "scan":
                there = {k: v for (t, k), v in expected.items() if t == "a" and v is not None}
                assert dict(state.scan("a")) == there
            elif step == "flush":
                state.flush()
            else:
                state.flush_behind()
            for (table, key), value in expected.items():
                assert state.get(table, key) == value
        state.flush()
    for (table, key), value in expected.items():
        assert stored.get(table, key) == value
