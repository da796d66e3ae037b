"""What a fold gathers in memory is what it would find had it been written."""

import sqlite3
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.sqlite import marks
from freehold.adapters.sqlite import state as module
from freehold.adapters.sqlite.connection import connect
from freehold.adapters.sqlite.schema import prepare
from freehold.adapters.sqlite.state import GatheredState, SqliteState


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("gathered") / "ledger.db"
    made = connect(path, wait=1.0)
    prepare(made, path, "own")
    yield made
    made.close()


_steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.none() | st.integers(0, 9))
    | st.sampled_from(["flush", "scan"]),
    max_size=30,
)


@settings(deadline=None)
@given(_steps, st.booleans(), st.integers(1, 9))
def test_a_gathered_state_tells_what_was_written_last(
    connection: sqlite3.Connection, steps: list[object], empty: bool, room: int
) -> None:
    connection.execute("DELETE FROM state")
    expected: dict[tuple[str, str], int | None] = {}
    stored = SqliteState(lambda: nullcontext(connection))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_GATHERED", room)
        patch.setattr(marks, "_PLACES", 1)  # so that most rows are taken for written
        state = GatheredState(stored, empty=empty)
        for step in steps:
            if isinstance(step, tuple):
                table, key, value = step
                state.write([(table, key, None if value is None else b"%d" % value)])
                expected[table, key] = value
            elif step == "scan":
                there = {k: v for (t, k), v in expected.items() if t == "a" and v is not None}
                assert dict(state.scan("a")) == there
            else:
                state.flush()
            for (table, key), value in expected.items():
                assert state.get(table, key) == value
        state.flush()
    for (table, key), value in expected.items():
        assert stored.get(table, key) == value


@settings(deadline=None)
@given(_steps)
def test_what_was_replaced_is_noted_in_its_order(
    connection: sqlite3.Connection, steps: list[object]
) -> None:
    """Undone from the last note to the first, the state is what it was."""
    connection.execute("DELETE FROM state")
    connection.execute("DELETE FROM undo")
    state = GatheredState(SqliteState(lambda: nullcontext(connection)))
    before: dict[tuple[str, str], bytes] = {}
    for number, step in enumerate(steps):
        if isinstance(step, tuple):
            table, key, value = step
            encoded = None if value is None else b"%d" % value
            state.place = None if number < len(steps) // 2 else (number, 0, "w", number)
            state.write([(table, key, encoded)])
            if state.place is None:
                before[table, key] = encoded or b""
        elif step == "flush":
            state.flush()
    state.flush()
    undone = connection.execute('SELECT "table", key, value FROM undo ORDER BY number DESC')
    for table, key, value in undone.fetchall():
        connection.execute('DELETE FROM state WHERE "table" = ? AND key = ?', (table, key))
        if value is not None:
            connection.execute("INSERT INTO state VALUES (?, ?, ?)", (table, key, value))
    left = connection.execute('SELECT "table", key, value FROM state').fetchall()
    assert {(t, k): v for t, k, v in left} == {at: v for at, v in before.items() if v}
