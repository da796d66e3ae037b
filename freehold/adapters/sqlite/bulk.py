"""Many rows by one statement, which another thread carries out while the caller goes on.

Row by row, SQLite would be handed every value by the interpreter, which only one thread can use.
One statement that cuts the rows out of one value leaves the interpreter to the caller all along.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import accumulate
from types import TracebackType

_PART = 32 * 2**20
"""Bytes of one statement's rows, unless one row alone has more: SQLite takes no value of a GB."""
_HASH = 32
_ROWS = "WITH RECURSIVE row(n) AS (VALUES(0) UNION ALL SELECT n + 1 FROM row WHERE n + 1 < :count)"
_CUT = (
    "CAST(substr(:{0}_starts, n * 10 + 1, 10) AS INTEGER) AS {0}_from,"
    " CAST(substr(:{0}_starts, n * 10 + 11, 10) AS INTEGER) AS {0}_to"
)
_ENTRIES = (
    f"INSERT OR ROLLBACK INTO foreign_entries {_ROWS}"
    " SELECT :writer, :first + n, substr(:line, line_from + 1, line_to - line_from),"
    f" substr(:leaves, n * {_HASH} + 1, {_HASH})"
    f" FROM (SELECT n, {_CUT.format('line')} FROM row)"
)
_STATE = (
    f"INSERT OR REPLACE INTO state {_ROWS}"
    " SELECT :table, CAST(substr(:key, key_from + 1, key_to - key_from) AS TEXT),"
    " substr(:value, value_from + 1, value_to - value_from)"
    f" FROM (SELECT {_CUT.format('key')}, {_CUT.format('value')} FROM row) ORDER BY 2"
)


class Behind:
    """Work on a connection, one piece at a time, within the caller's transaction.

    Nobody else may use the connection before `wait` has returned. Leaving the context waits, too,
    whatever interrupts it: what comes after may be a rollback, behind which nothing may be written.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: Future[None] | None = None

    def begin(self, work: Callable[[], None]) -> None:
        self.wait()
        self._pool = self._pool or ThreadPoolExecutor(1)
        self._under_way = self._pool.submit(work)

    def wait(self) -> None:
        """Raises what the work raised."""
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None

    def __enter__(self) -> "Behind":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None
    ) -> None:
        self._end()
        if self._pool is not None:
            self._pool.shutdown()
        if exc is None:
            self.wait()

    def _end(self) -> None:
        try:
            wait([self._under_way] if self._under_way else [])
        finally:
            if self._under_way is not None and not self._under_way.done():
                self._end()


def insert_entries(
    connection: sqlite3.Connection,
    writer: str,
    first: int,
    lines: Sequence[bytes],
    leaves: Sequence[bytes],
) -> None:
    """Into `foreign_entries`."""
    for start, stop in _parts(lines):
        values = {"writer": writer, "first": first + start, "count": stop - start}
        values["leaves"] = b"".join(leaves[start:stop])
        connection.execute(_ENTRIES, {**values, **_packed("line", lines[start:stop])})


def replace_rows(
    connection: sqlite3.Connection, table: str, keys: Sequence[str], values: Sequence[bytes]
) -> None:
    """Into `state`, by key, so that each page of the table is touched once."""
    for start, stop in _parts(values):
        keyed = _packed("key", list(map(str.encode, keys[start:stop])))
        packed = {**keyed, **_packed("value", values[start:stop])}
        connection.execute(_STATE, {"table": table, "count": stop - start, **packed})


def _packed(name: str, texts: Sequence[bytes]) -> dict[str, bytes]:
    """All in one, and where each starts, in ten digits each, with the end."""
    starts = tuple(accumulate(map(len, texts), initial=0))
    # Of a value without bytes SQLite cuts no empty text, but NULL.
    return {name: b"".join(texts) + b"\n", f"{name}_starts": b"%10d" * len(starts) % starts}


def _parts(texts: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Runs of them that have no more bytes than `_PART`."""
    if sum(map(len, texts)) <= _PART:
        if texts:
            yield 0, len(texts)
        return
    start = size = 0
    for at, text in enumerate(texts):
        if at > start and size + len(text) > _PART:
            yield start, at
            start, size = at, 0
        size += len(text)
    yield start, len(texts)
