"""Folds all logs in their common order, going back where an older fact comes late.

While a fact is folded, the values that it replaces are noted, so that the latest facts can be
unfolded again; when a fact comes that belongs before the oldest note, all is folded anew.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain, islice

import orjson

from freehold.adapters.sqlite.fold import Fold, FoldHere, Page
from freehold.adapters.sqlite.fold_process import FoldProcess, FoldProcessEnded
from freehold.adapters.sqlite.logs import Arrived, LogRow, Logs, outlined
from freehold.adapters.sqlite.state import At, GatheredState, SqliteState, uncollected
from freehold.domain.canonical import canonical
from freehold.domain.fact import Entry
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.ordering import BEGINNING, Outline, Place, in_order
from freehold.domain.projection import Folding

NOTED = 5_000
"""The latest facts whose folding can be undone, at least."""
MANY = 30_000
"""Facts that are folded with a second process, where there is a processor for it."""
_PAGE = 250
"""Facts that are in memory together: what two processes hand each other is best small."""
_AT = "(wall, logical, writer, sequence)"
# A damaged row may hold another type than it was given.
_OWN = "SELECT sequence, CAST(encoded AS BLOB) FROM entries WHERE sequence < ? ORDER BY sequence"

_Placed = tuple[At, bytes]
"""Where an entry stands, and its canonical bytes."""


class Merging:
    """Within the caller's transaction."""

    def __init__(
        self, connection: sqlite3.Connection, folding: Folding, state: SqliteState
    ) -> None:
        self._connection, self._folding, self._state = connection, folding, state

    def append(self, entries: Sequence[Entry]) -> None:
        """Own entries, which come after everything that was folded."""
        own = entries[0].fact
        if (last := self._last()) == _NOWHERE:
            last = self._place_own(own.writer, own.sequence)
        time = last.time
        places, gathered = [], GatheredState(self._state)
        for entry in entries:
            time = time.next(entry.fact.time.wall)
            gathered.place = Place(*time, entry.fact.writer, entry.fact.sequence)
            places.append(gathered.place)
            if self._folding.reads(entry.fact):
                self._folding.fold(entry.encoded, gathered)
        gathered.flush()
        self._insert(places)
        if places[-1].sequence % NOTED == 0:
            self._forget()

    def beside(self, count: int, size: int) -> FoldProcess | None:
        """A process that will be of use to fold so many new entries beside the own log of this
        size; to be had before they are here, since it takes a while to be ready."""
        return self._process(count + size) if self._is_anew(count, size) else None

    def fold_new(
        self,
        own: tuple[str, int],
        logs: Logs,
        rows: list[LogRow],
        arrived: Arrived,
        beside: FoldProcess | None,
    ) -> None:
        """Fold what can be folded now of what the logs hold. `own`: writer and size of the own
        log. `arrived`: what the others got just now."""
        writer, size = own
        count = sum(row.frontier.size - row.folded for row in rows)
        if self._is_anew(count, size):
            self.place_all(writer, logs, arrived, beside)
            return
        if (last := self._last()) == _NOWHERE:
            last = self._place_own(writer, size)
        folded = {writer: size, **{row.writer: row.folded for row in rows}}
        waiting = {
            row.writer: _entries(logs, row, row.folded, arrived)
            for row in rows
            if row.folded < row.frontier.size
        }
        found = in_order(waiting, folded, self._time_of)
        first = next(found, None)
        if first is None:
            return
        place, all_new = first[0], self._placed(chain((first,), found))
        if place > last:
            self._fold_here(all_new)
        elif self._unfold(place):
            for _ in all_new:
                pass
            self._fold_here(self._stored(place))
        else:
            self.place_all(writer, logs, arrived)
            return
        self._save(logs, rows, folded)

    def place_all(
        self,
        own: str,
        logs: Logs,
        arrived: Arrived | None = None,
        beside: FoldProcess | None = None,
    ) -> int:
        """Give every entry its place anew, and fold: where entries were taken away, those that
        came after them in the causal past stand elsewhere. Returns how many were folded."""
        rows = logs.rows()
        size = self._own_size()
        count = size + sum(row.frontier.size for row in rows)

        def all_with(fold: Fold, state: GatheredState) -> int:
            self._connection.execute("DELETE FROM ordered")
            waiting = {row.writer: _entries(logs, row, 0, arrived) for row in rows}
            waiting[own] = self._own_entries(own, size)
            folded = dict.fromkeys(waiting, 0)
            found = in_order(waiting, folded, self._time_of)
            self._fold(self._placed(found), fold, state)
            self._save(logs, rows, folded)
            return sum(folded.values())

        return self._anew(count, all_with, beside)

    def fold_alone(self, own: str) -> int:
        """Fold the own log, where there is no other: its order is the common one. Returns how many
        were folded."""
        size = self._own_size()

        def all_with(fold: Fold, state: GatheredState) -> int:
            fold.fold(self._own_pages(own, size), state)
            state.flush()
            return size

        return self._anew(size, all_with)

    def _anew(
        self,
        count: int,
        all_with: Callable[[Fold, GatheredState], int],
        beside: FoldProcess | None = None,
    ) -> int:
        """Folds so many facts into an empty state, with a second process where that is quicker."""

        def emptied(fold: Fold, state: GatheredState) -> int:
            for table in ("state", "undo"):
                self._connection.execute(f"DELETE FROM {table}")
            self._connection.execute("DELETE FROM meta WHERE name = 'noted'")
            return all_with(fold, state)

        with uncollected():
            if (process := beside or self._process(count)) is not None:
                # If it ends, it has said why. All that it did is done again, by this one.
                with closing(process), suppress(FoldProcessEnded):
                    return emptied(process, GatheredState(self._state))
            return emptied(FoldHere(self._folding), GatheredState(self._state, empty=True))

    def _is_anew(self, count: int, size: int) -> bool:
        """Whether all is to be folded again if so many entries come beside the own log of this
        size: no other log was there, and of what is folded hardly anything would stay as it is."""
        return count > size and self._last() == _NOWHERE

    def _process(self, count: int) -> FoldProcess | None:
        if count < MANY or _processors() == 1:
            return None
        with suppress(FoldProcessEnded):
            return FoldProcess(self._folding)
        return None

    def _save(self, logs: Logs, rows: Iterable[LogRow], folded: dict[str, int]) -> None:
        for row in rows:
            if row.folded != folded[row.writer]:
                row.folded = folded[row.writer]
                logs.save(row)

    def _place_own(self, writer: str, size: int) -> Place:
        """Give the own log's first entries their places: there was no other log so far. Returns
        the last one."""
        own = {writer: self._own_entries(writer, size)}
        for _ in self._placed(in_order(own, {writer: 0}, self._time_of)):
            pass
        return self._last()

    def _own_size(self) -> int:
        (size,) = self._connection.execute("SELECT COUNT(*) FROM entries").fetchone()
        return int(size)

    def _own_pages(self, writer: str, size: int) -> Iterator[Page]:
        """Without places, which they have beside others only."""
        entries = enumerate(self._own_entries(writer, size))
        while page := list(islice(entries, _PAGE)):
            nowhere = [((0, 0, writer, sequence), encoded) for sequence, (_, encoded) in page]
            yield Page(nowhere, noted=False)

    def _own_entries(self, writer: str, size: int) -> Iterator[tuple[Outline, bytes]]:
        for due, (sequence, encoded) in enumerate(self._connection.execute(_OWN, (size,))):
            yield outlined(writer, due, sequence, encoded), encoded

    def _placed(self, found: Iterator[tuple[Place, bytes]]) -> Iterator[list[_Placed]]:
        """By pages, whose places are then stored. A page is smaller than what `in_order` keeps."""
        while True:
            page: list[_Placed] = list(islice(found, _PAGE))
            if not page:
                return
            self._insert([place for place, _ in page])
            yield page

    def _fold_here(self, pages: Iterable[list[_Placed]]) -> None:
        self._fold(pages, FoldHere(self._folding), GatheredState(self._state))

    def _fold(self, pages: Iterable[list[_Placed]], fold: Fold, state: GatheredState) -> None:
        """In their order. The last facts are noted, so that they can be undone."""
        fold.fold(self._noting(pages), state)
        state.flush()
        self._forget()

    def _noting(self, pages: Iterable[list[_Placed]]) -> Iterator[Page]:
        """Which pages are the last shows when all are there: so many are held back."""
        held, count, quiet = deque[list[_Placed]](), 0, False
        for page in pages:
            held.append(page)
            count += len(page)
            while count - len(held[0]) >= NOTED:
                if not quiet:
                    self._connection.execute("DELETE FROM undo")
                quiet = True
                count -= len(held[0])
                yield Page(held.popleft(), noted=False)
        if held and (quiet or self._noted() is None):
            self._noted_from(held[0][0][0])
        for page in held:
            yield Page(page, noted=True)

    def _stored(self, first: Place) -> Iterator[list[_Placed]]:
        """Pages of those at this place and after it. Each log lies in the common order as it lies
        in itself: a page has a run of each."""
        after: At = (*first[:3], first.sequence - 1)
        while True:
            page: list[At] = self._connection.execute(
                f"SELECT * FROM ordered WHERE {_AT} > (?, ?, ?, ?)"
                " ORDER BY wall, logical, writer, sequence LIMIT ?",
                (*after, _PAGE),
            ).fetchall()
            last = {writer: sequence for _, _, writer, sequence in page}
            first_of = {writer: sequence for _, _, writer, sequence in reversed(page)}
            runs = {writer: self._run(writer, first_of[writer], last[writer]) for writer in last}
            yield [(at, runs[at[2]].get(at[3], b"")) for at in page]
            if len(page) < _PAGE:
                return
            after = page[-1]

    def _run(self, writer: str, first: int, last: int) -> dict[int, bytes]:
        """Encoded entries of one log by sequence; what is named by no other log is the own one."""
        found = self._connection.execute(
            "SELECT sequence, encoded FROM foreign_entries"
            " WHERE writer = ? AND sequence BETWEEN ? AND ?",
            (writer, first, last),
        ).fetchall()
        return dict(
            found
            or self._connection.execute(
                "SELECT sequence, encoded FROM entries WHERE sequence BETWEEN ? AND ?",
                (first, last),
            )
        )

    def _unfold(self, first: Place) -> bool:
        """Undo what was folded from this place on; False if that is not noted any more."""
        noted = self._noted()
        if noted is None or noted > first:
            return False
        undone = self._connection.execute(
            f'SELECT number, "table", key, value FROM undo WHERE {_AT} >= (?, ?, ?, ?)'
            " ORDER BY number DESC",
            first,
        ).fetchall()
        for _, table, key, value in undone:
            if value is None:
                self._connection.execute(
                    'DELETE FROM state WHERE "table" = ? AND key = ?', (table, key)
                )
            else:
                self._connection.execute(
                    "INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (table, key, value)
                )
        if undone:
            self._connection.execute("DELETE FROM undo WHERE number >= ?", (undone[-1][0],))
        return True

    def _forget(self) -> None:
        """Drop notes so old that twice as many facts as need be could be unfolded."""
        found = self._connection.execute(
            "SELECT wall, logical, writer, sequence FROM ordered"
            " ORDER BY wall DESC, logical DESC, writer DESC, sequence DESC LIMIT 1 OFFSET ?",
            (2 * NOTED,),
        ).fetchone()
        if found is None:
            return
        removed = self._connection.execute(f"DELETE FROM undo WHERE {_AT} < (?, ?, ?, ?)", found)
        if removed.rowcount:
            self._noted_from(found)

    def _noted(self) -> Place | None:
        """From where on each fact's folding can be undone."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'noted'").fetchone()
        return None if row is None else Place(*orjson.loads(row[0]))

    def _noted_from(self, place: At) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO meta VALUES ('noted', ?)",
            (canonical(list(place)).decode(),),
        )

    def _insert(self, places: Sequence[At]) -> None:
        self._connection.executemany("INSERT INTO ordered VALUES (?, ?, ?, ?)", places)

    def _last(self) -> Place:
        row = self._connection.execute(
            "SELECT wall, logical, writer, sequence FROM ordered"
            " ORDER BY wall DESC, logical DESC, writer DESC, sequence DESC LIMIT 1"
        ).fetchone()
        return _NOWHERE if row is None else Place(*row)

    def _time_of(self, writer: str, sequence: int) -> HybridTime:
        wall, logical = self._connection.execute(
            "SELECT wall, logical FROM ordered WHERE writer = ? AND sequence = ?",
            (writer, sequence),
        ).fetchone()
        return HybridTime(wall, logical)


_NOWHERE = Place(*BEGINNING, "", -1)
"""Before every place."""


def _entries(
    logs: Logs, row: LogRow, start: int, arrived: Arrived | None
) -> Iterator[tuple[Outline, bytes]]:
    """Of a log, from `start` on; what is in memory is not read again."""
    found = arrived.entries(row.writer, start) if arrived else None
    return logs.entries(row.writer, start) if found is None else found


def _processors() -> int:
    """That this process may use."""
    with suppress(AttributeError):  # not every system has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
