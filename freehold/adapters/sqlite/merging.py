"""Folds all logs in their common order, going back where an older fact comes late.

While a fact is folded, the values that it replaces are noted, so that the latest facts can be
unfolded again; when a fact comes that belongs before the oldest note, all is folded anew.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from freehold.adapters.sqlite.logs import LogRow, Logs
from freehold.adapters.sqlite.state import (
    GatheredState,
    SqliteStateInTransaction,
    uncollected,
)
from freehold.domain.canonical import canonical
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Entry, Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.ordering import BEGINNING, Place, settle
from freehold.domain.projection import Change, Folding

NOTED = 5_000
"""The latest facts whose folding can be undone, at least."""
IN_MEMORY = 50_000
"""Facts that are kept from their receipt until they are folded; beyond, they are read again."""
_PAGE = 1000
_AT = "(wall, logical, writer, sequence)"


class _NotingState(SqliteStateInTransaction):
    """Notes what each write replaces, under the place of the fact that is being folded."""

    def __init__(self, connection: sqlite3.Connection, state: SqliteStateInTransaction) -> None:
        super().__init__(state.lend)
        self._connection, self.place = connection, Place(BEGINNING, "", 0)

    def write(self, change: Change) -> None:
        self._connection.execute(
            "INSERT INTO undo VALUES (NULL, ?, ?, ?, ?, ?, ?,"
            ' (SELECT value FROM state WHERE "table" = ? AND key = ?))',
            (*_values(self.place), change.table, change.key, change.table, change.key),
        )
        super().write(change)


class Merging:
    """Within the caller's transaction."""

    def __init__(
        self, connection: sqlite3.Connection, folding: Folding, state: SqliteStateInTransaction
    ) -> None:
        self._connection, self._folding, self._state = connection, folding, state
        self._noting = _NotingState(connection, state)

    def begin(self, writer: str) -> None:
        """Give the own log's entries their places, once another log is there."""
        if self._connection.execute("SELECT 1 FROM ordered LIMIT 1").fetchone():
            return
        time = BEGINNING
        places = []
        for sequence, encoded in self._connection.execute(
            "SELECT sequence, encoded FROM entries ORDER BY sequence"
        ):
            time = time.next(int(orjson.loads(encoded)["time"]["wall"]))
            places.append(Place(time, writer, sequence))
        self._insert(places)

    def append(self, entries: Iterable[Entry]) -> None:
        """Own entries, which come after everything that was folded."""
        time = self._last().time
        places = []
        for entry in entries:
            time = time.next(entry.fact.time.wall)
            place = Place(time, entry.fact.writer, entry.fact.sequence)
            places.append(place)
            if self._folding.reads(entry.fact):
                self._noting.place = place
                self._folding.fold(entry.encoded, self._noting)
        self._insert(places)
        if places and places[-1].sequence % NOTED == 0:
            self._forget()

    def fold_new(
        self,
        own: str,
        own_size: int,
        logs: Logs,
        rows: list[LogRow],
        new: Mapping[str, list[Fact]],
    ) -> None:
        """Fold what can be folded now of what the logs hold. `new`: what they got just now."""
        with uncollected():
            self._fold_new(own, own_size, logs, rows, new)

    def _fold_new(
        self,
        own: str,
        own_size: int,
        logs: Logs,
        rows: list[LogRow],
        new: Mapping[str, list[Fact]],
    ) -> None:
        folded = {own: own_size, **{row.writer: row.folded for row in rows}}
        waiting = {
            row.writer: _waiting(logs, row, new.get(row.writer, []))
            for row in rows
            if row.folded < row.frontier.size
        }
        last = self._last()
        places: list[Place] = []
        facts: dict[Place, Fact] = {}
        for place, fact in settle(waiting, folded, self._time_of):
            places.append(place)
            if len(places) <= IN_MEMORY:
                facts[place] = fact
        if not places:
            return
        places.sort(key=_values)
        self._insert(places)
        for row in rows:
            if row.folded != folded[row.writer]:
                row.folded = folded[row.writer]
                logs.save(row)
        first = places[0]
        if first > last and len(places) <= IN_MEMORY:
            self._fold(len(places), ((place, facts[place]) for place in places))
        elif first > last or self._unfold(first):
            self._fold_from(first)
        else:
            self.fold_all()

    def place_all(self, own: str, logs: Logs) -> int:
        """Give every entry its place anew, and fold: where entries were taken away, those that
        came after them in the causal past stand elsewhere. Returns how many were folded."""
        rows = logs.rows()
        waiting = {row.writer: logs.facts(row.writer, 0) for row in rows}
        waiting[own] = self._own_facts()
        folded = dict.fromkeys(waiting, 0)
        self._connection.execute("DELETE FROM ordered")
        self._insert(
            sorted((place for place, _ in settle(waiting, folded, _unplaced)), key=_values)
        )
        for row in rows:
            row.folded = folded[row.writer]
            logs.save(row)
        return self.fold_all()

    def _own_facts(self) -> Iterator[Fact]:
        for sequence, encoded in self._connection.execute(
            "SELECT sequence, encoded FROM entries ORDER BY sequence"
        ):
            yield _read(Place(BEGINNING, "this site", sequence), encoded)

    def fold_all(self) -> int:
        self._connection.execute("DELETE FROM state")
        self._connection.execute("DELETE FROM undo")
        self._connection.execute("DELETE FROM meta WHERE name = 'noted'")
        return self._fold_from(Place(BEGINNING, "", -1), empty=True)

    def _fold_from(self, first: Place, empty: bool = False) -> int:
        """All facts at this place and after it. Notes what the last of them replace."""
        (count,) = self._connection.execute(
            f"SELECT COUNT(*) FROM ordered WHERE {_AT} >= (?, ?, ?, ?)", _values(first)
        ).fetchone()
        self._fold(count, self._entries(first), empty)
        return int(count)

    def _fold(self, count: int, facts: Iterator[tuple[Place, Fact]], empty: bool = False) -> None:
        """In their order. The last ones are noted, so that they can be undone."""
        quiet, gathered = max(count - NOTED, 0), GatheredState(self._state, empty)
        if quiet:
            self._connection.execute("DELETE FROM undo")
        for number, (place, fact) in enumerate(facts):
            if number < quiet:
                self._folding.fold_read(fact, gathered)
                continue
            if number == quiet:
                gathered.flush()
                if quiet or self._noted() is None:
                    self._noted_from(place)
            self._noting.place = place
            self._folding.fold_read(fact, self._noting)
        self._forget()

    def _entries(self, first: Place) -> Iterator[tuple[Place, Fact]]:
        after = Place(first.time, first.writer, first.sequence - 1)
        while True:
            page = self._connection.execute(
                "SELECT o.wall, o.logical, o.writer, o.sequence, IFNULL(f.encoded,"
                " (SELECT encoded FROM entries e WHERE e.sequence = o.sequence))"
                " FROM (SELECT * FROM ordered"
                f" WHERE {_AT} > (?, ?, ?, ?)"
                " ORDER BY wall, logical, writer, sequence LIMIT ?) o"
                " LEFT JOIN foreign_entries f ON f.writer = o.writer AND f.sequence = o.sequence"
                " ORDER BY o.wall, o.logical, o.writer, o.sequence",
                (*_values(after), _PAGE),
            ).fetchall()
            for wall, logical, writer, sequence, encoded in page:
                after = Place(HybridTime(wall, logical), writer, sequence)
                yield after, _read(after, encoded)
            if len(page) < _PAGE:
                return

    def _unfold(self, first: Place) -> bool:
        """Undo what was folded from this place on; False if that is not noted any more."""
        noted = self._noted()
        if noted is None or noted > first:
            return False
        undone = self._connection.execute(
            f'SELECT number, "table", key, value FROM undo WHERE {_AT} >= (?, ?, ?, ?)'
            " ORDER BY number DESC",
            _values(first),
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
            self._noted_from(_place(found))

    def _noted(self) -> Place | None:
        """From where on each fact's folding can be undone."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'noted'").fetchone()
        return None if row is None else _place(orjson.loads(row[0]))

    def _noted_from(self, place: Place) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO meta VALUES ('noted', ?)",
            (canonical(list(_values(place))).decode(),),
        )

    def _insert(self, places: list[Place]) -> None:
        self._connection.executemany(
            "INSERT INTO ordered VALUES (?, ?, ?, ?)", [_values(place) for place in places]
        )

    def _last(self) -> Place:
        row = self._connection.execute(
            "SELECT wall, logical, writer, sequence FROM ordered"
            " ORDER BY wall DESC, logical DESC, writer DESC, sequence DESC LIMIT 1"
        ).fetchone()
        return Place(BEGINNING, "", -1) if row is None else _place(row)

    def _time_of(self, writer: str, sequence: int) -> HybridTime:
        wall, logical = self._connection.execute(
            "SELECT wall, logical FROM ordered WHERE writer = ? AND sequence = ?",
            (writer, sequence),
        ).fetchone()
        return HybridTime(wall, logical)


def _unplaced(writer: str, sequence: int) -> HybridTime:
    """All are placed in one go."""
    raise LookupError(f"{writer}/{sequence}")


def _waiting(logs: Logs, row: LogRow, new: list[Fact]) -> Iterator[Fact]:
    """Those of a log that are not folded yet; what is in memory is not read again."""
    if new and new[0].sequence == row.folded:
        return iter(new)
    return logs.facts(row.writer, row.folded)


def _read(place: Place, encoded: bytes) -> Fact:
    try:
        return Fact.from_json(orjson.loads(encoded))
    except (ValueError, AttributeError) as exc:
        raise IntegrityError(
            f"entry {place.sequence} of {place.writer} cannot be read",
            why=str(exc),
            code="ledger.damaged",
            hint="run `freehold audit verify`, and restore the ledger from a copy",
        ) from exc


def _values(place: Place) -> tuple[int, int, str, int]:
    return (place.time.wall, place.time.logical, place.writer, place.sequence)


def _place(values: Any) -> Place:
    wall, logical, writer, sequence = values
    return Place(HybridTime(wall, logical), writer, sequence)
