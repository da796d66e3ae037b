"""Folds all logs in their common order, going back where an older fact comes late.

While a fact is folded, the values that it replaces are noted, so that the latest facts can be
unfolded again; when a fact comes that belongs before the oldest note, all is folded anew.
"""

import sqlite3
from collections.abc import Iterable, Iterator

import orjson

from freehold.adapters.sqlite.logs import Arrived, LogRow, Logs
from freehold.adapters.sqlite.state import At, GatheredState, SqliteState, uncollected
from freehold.domain.canonical import canonical
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Entry, Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.ordering import BEGINNING, Outline, Place, outline, settle
from freehold.domain.projection import Folding

NOTED = 5_000
"""The latest facts whose folding can be undone, at least."""
_PAGE = 1000
_AT = "(wall, logical, writer, sequence)"
_OWN = "SELECT sequence, encoded FROM entries ORDER BY sequence"


class Merging:
    """Within the caller's transaction."""

    def __init__(
        self, connection: sqlite3.Connection, folding: Folding, state: SqliteState
    ) -> None:
        self._connection, self._folding, self._state = connection, folding, state

    def begin(self, writer: str) -> None:
        """Give the own log's entries their places, once another log is there."""
        if self._connection.execute("SELECT 1 FROM ordered LIMIT 1").fetchone():
            return
        own = {writer: self._own_outlines()}
        for page in settle(own, {writer: 0}, self._time_of):
            self._insert(page)

    def append(self, entries: Iterable[Entry]) -> None:
        """Own entries, which come after everything that was folded."""
        time = self._last().time
        places, gathered = [], GatheredState(self._state)
        for entry in entries:
            time = time.next(entry.fact.time.wall)
            gathered.place = Place(*time, entry.fact.writer, entry.fact.sequence)
            places.append(gathered.place)
            if self._folding.reads(entry.fact):
                self._folding.fold(entry.encoded, gathered)
        gathered.flush()
        self._insert(places)
        if places and places[-1].sequence % NOTED == 0:
            self._forget()

    def fold_new(
        self, own: tuple[str, int], logs: Logs, rows: list[LogRow], arrived: Arrived
    ) -> None:
        """Fold what can be folded now of what the logs hold. `own`: writer and size of the own
        log. `arrived`: what the others got just now."""
        folded = {**dict((own,)), **{row.writer: row.folded for row in rows}}
        waiting = {
            row.writer: _waiting(logs, row, arrived)
            for row in rows
            if row.folded < row.frontier.size
        }
        last, first, count = self._last(), None, 0
        page: list[Place] = []
        for page in settle(waiting, folded, self._time_of):
            page.sort()
            self._insert(page)
            first, count = page[0] if first is None else min(first, page[0]), count + len(page)
        if first is None:
            return
        for row in rows:
            if row.folded != folded[row.writer]:
                row.folded = folded[row.writer]
                logs.save(row)
        if first > last and count == len(page) and arrived.has_all(page):
            self._fold(count, ((at, arrived.facts[at.writer, at.sequence]) for at in page))
        elif first > last or self._unfold(first):
            self._fold_from(first)
        else:
            self.fold_all()

    def place_all(self, own: str, logs: Logs) -> int:
        """Give every entry its place anew, and fold: where entries were taken away, those that
        came after them in the causal past stand elsewhere. Returns how many were folded."""
        rows = logs.rows()
        waiting = {row.writer: logs.outlines(row.writer, 0) for row in rows}
        waiting[own] = self._own_outlines()
        folded = dict.fromkeys(waiting, 0)
        self._connection.execute("DELETE FROM ordered")
        with uncollected():
            for page in settle(waiting, folded, self._time_of):
                page.sort()
                self._insert(page)
            for row in rows:
                row.folded = folded[row.writer]
                logs.save(row)
            return self.fold_all()

    def _own_outlines(self) -> Iterator[Outline]:
        for sequence, encoded in self._connection.execute(_OWN):
            try:
                yield outline(encoded)
            except (ValueError, TypeError, AttributeError) as exc:
                raise _unreadable(sequence, "this site", exc) from exc

    def fold_all(self) -> int:
        self._connection.execute("DELETE FROM state")
        self._connection.execute("DELETE FROM undo")
        self._connection.execute("DELETE FROM meta WHERE name = 'noted'")
        return self._fold_from(Place(*BEGINNING, "", -1), empty=True)

    def _fold_from(self, first: Place, empty: bool = False) -> int:
        """All facts at this place and after it. Notes what the last of them replace."""
        (count,) = self._connection.execute(
            f"SELECT COUNT(*) FROM ordered WHERE {_AT} >= (?, ?, ?, ?)", first
        ).fetchone()
        self._fold(count, self._entries(first), empty)
        return int(count)

    def _fold(self, count: int, facts: Iterator[tuple[At, Fact]], empty: bool = False) -> None:
        """In their order. The last ones are noted, so that they can be undone."""
        quiet, gathered = max(count - NOTED, 0), GatheredState(self._state, empty=empty)
        if quiet:
            self._connection.execute("DELETE FROM undo")
        for number, (place, fact) in enumerate(facts):
            if number >= quiet:
                gathered.place = place
                if number == quiet and (quiet or self._noted() is None):
                    self._noted_from(place)
            self._folding.fold_read(fact, gathered)
        gathered.flush()
        self._forget()

    def _entries(self, first: Place) -> Iterator[tuple[At, Fact]]:
        """Each log lies in the common order as it lies in itself: a page has a run of each."""
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
            for after in page:
                yield after, _read(after, runs[after[2]].get(after[3]))
            if len(page) < _PAGE:
                return

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

    def _insert(self, places: list[Place]) -> None:
        self._connection.executemany("INSERT INTO ordered VALUES (?, ?, ?, ?)", places)

    def _last(self) -> Place:
        row = self._connection.execute(
            "SELECT wall, logical, writer, sequence FROM ordered"
            " ORDER BY wall DESC, logical DESC, writer DESC, sequence DESC LIMIT 1"
        ).fetchone()
        return Place(*BEGINNING, "", -1) if row is None else Place(*row)

    def _time_of(self, writer: str, sequence: int) -> HybridTime:
        wall, logical = self._connection.execute(
            "SELECT wall, logical FROM ordered WHERE writer = ? AND sequence = ?",
            (writer, sequence),
        ).fetchone()
        return HybridTime(wall, logical)


def _waiting(logs: Logs, row: LogRow, arrived: Arrived) -> Iterator[Outline]:
    """Those of a log that are not folded yet; what is in memory is not read again."""
    if arrived.first.get(row.writer) == row.folded:
        return iter(arrived.outlines[row.writer])
    return logs.outlines(row.writer, row.folded)


def _read(place: At, encoded: bytes | None) -> Fact:
    try:
        return Fact.from_json(orjson.loads(encoded or b""))
    except (ValueError, AttributeError) as exc:
        raise _unreadable(place[3], place[2], exc) from exc


def _unreadable(sequence: int, writer: str, exc: Exception) -> IntegrityError:
    return IntegrityError(
        f"entry {sequence} of {writer} cannot be read",
        why=str(exc),
        code="ledger.damaged",
        hint="run `freehold audit verify`, and restore the ledger from a copy",
    )
