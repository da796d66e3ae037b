"""Many rows by one statement, which another thread carries out while the caller goes on.

Row by row, SQLite would be handed every value by the interpreter, which only one thread can use.
One statement that cuts the rows out of one value leaves the interpreter to the caller all along.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import accumulate, islice
from types import TracebackType

_PART = 32 * 2**20
"""Bytes of one statement's rows, unless one row alone has more: SQLite takes no value of a GB."""
_HASH = 32
_ROWS = "WITH RECURSIVE row(n) AS (VALUES(0) UNION ALL SELECT n + 1 FROM row WHERE n + 1 < :count)"
_START = "CAST(substr(:starts, n * {step} + {at}, 10) AS INTEGER)"
_ENTRIES = (
    f"INSERT INTO foreign_entries {_ROWS}"
    " SELECT :writer, :first + n, substr(:data, a + 1, b - a), substr(:leaves, n * 32 + 1, 32)"
    f" FROM (SELECT n, {_START.format(step=10, at=1)} AS a, {_START.format(step=10, at=11)} AS b"
    " FROM row)"
)
_STATE = (
    f"INSERT OR REPLACE INTO state {_ROWS}"
    " SELECT :table, CAST(substr(:data, a + 1, b - a) AS TEXT), substr(:data, b + 1, c - b)"
    f" FROM (SELECT {_START.format(step=20, at=1)} AS a, {_START.format(step=20, at=11)} AS b,"
    f" {_START.format(step=20, at=21)} AS c FROM row)"
)


class Behind:
    """Work on a connection, one piece at a time, within the caller's transaction.

    Nobody else may use the connection before `wait` has returned. Leaving the context waits, too,
    whatever interrupts it: what comes after may be a rollback, behind which nothing may be written.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._under_way: Future[None] | None = None

    def begin(self, work: Callable[[], None]) -> None:
        self.wait()
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
    at = 0
    for part in _parts(lines, 1):
        count, stop = len(part), at + len(part)
        values = {"writer": writer, "first": first + at, "leaves": b"".join(leaves[at:stop])}
        connection.execute(_ENTRIES, {**values, **_packed(part), "count": count})
        at = stop


def replace_rows(
    connection: sqlite3.Connection, table: str, rows: Sequence[tuple[str, bytes]]
) -> None:
    """Into `state`: keys and their values."""
    flat: list[bytes] = []
    for key, value in rows:
        flat += (key.encode(), value)
    for part in _parts(flat, 2):
        connection.execute(_STATE, {"table": table, **_packed(part), "count": len(part) // 2})


def _packed(texts: Sequence[bytes]) -> dict[str, bytes]:
    """All in one, and where each starts, in ten digits each, with the end."""
    starts = tuple(accumulate(map(len, texts), initial=0))
    return {"data": b"".join(texts), "starts": b"%10d" * len(starts) % starts}


def _parts(texts: Sequence[bytes], step: int) -> Iterator[list[bytes]]:
    """Runs of them, whose length is a multiple of `step`, of no more bytes than `_PART`."""
    whole, size, part = iter(texts), 0, list[bytes]()
    while row := list(islice(whole, step)):
        size += sum(map(len, row))
        if part and size > _PART:
            yield part
            part, size = [], sum(map(len, row))
        part += row
    if part:
        yield part
