"""The process beside a large merge: it reads facts and tells which rows they make.

It is given canonical bytes, page by page in the common order, and writes nothing itself: whoever
started it has the file, writes the rows, and is asked for those that are not in memory here.
"""

import gc
import marshal
import os
import pickle
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from struct import Struct
from typing import IO, Any

import orjson

from freehold.adapters.sqlite.marks import Marks
from freehold.domain.fact import Fact
from freehold.domain.projection import Folding, Row

ROWS, FOLDED, GET, SCAN = range(4)
"""What it tells: rows so far; the last rows of a page; that it wants one row, or those whose keys
begin with a prefix."""
ROOT = str(Path(__file__).parents[3])
"""Where Freehold lies."""
CODE = version("freehold"), ROOT
"""Which one this is, as of its import: rows that other code makes must not stand as if the one that
asks had made them."""
_RECENT = 32_768
"""Rows that are kept, at least, of those written last."""
_SIZE, _MOST = Struct("<Q"), 2**40
"""Of a message: how its bytes are counted, and more than it ever has."""

_Rows = defaultdict[str, dict[str, bytes | None]]
"""By table and key."""


def send(stream: IO[bytes], content: bytes) -> None:
    stream.write(_SIZE.pack(len(content)))
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """None at the end, also where it ends within a message, or says what is none."""
    head = stream.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    (size,) = _SIZE.unpack(head)
    if size > _MOST:
        return None
    content = stream.read(size)
    return content if len(content) == size else None


class StateElsewhere:
    """A state that was empty at first. The rows written last are here, the others with whoever
    writes them."""

    def __init__(self, questions: IO[bytes], answers: IO[bytes]) -> None:
        self._questions, self._answers = questions, answers
        self._untold: _Rows = defaultdict(dict)
        self._untold_apart: list[tuple[int, str, str, bytes | None]] = []
        self._newest: _Rows = defaultdict(dict)
        self._count = 0
        """Of what was added to them."""
        self._older: _Rows = defaultdict(dict)
        self._oldest = Marks()
        self._ahead: list[bytes] = []
        self.apart: int | None = None
        """Number in its page of the fact that is folded, if its rows are to be told as its own."""

    def get(self, table: str, key: str) -> Any | None:
        for tables in (self._untold, self._newest, self._older):
            if key in (rows := tables[table]):
                encoded = rows[key]
                break
        else:
            if (table, key) not in self._oldest:
                return None
            encoded = self._ask(GET, table, key)
        return None if encoded is None else orjson.loads(encoded)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        found = self._ask(SCAN, table, prefix)
        return ((key, orjson.loads(value)) for key, value in found)

    def write(self, rows: Iterable[Row]) -> None:
        if self.apart is None:
            for table, key, encoded in rows:
                self._untold[table][key] = encoded
        else:
            for table, key, encoded in rows:
                self._newest[table][key] = encoded
                self._untold_apart.append((self.apart, table, key, encoded))

    def page(self) -> tuple[list[bytes], bool] | None:
        """The next one to fold, and whether the rows of each fact are to be told as its own."""
        content = self._ahead.pop(0) if self._ahead else receive(self._answers)
        if content is None:
            return None
        lines, noted = marshal.loads(content)
        return lines, noted

    def tell(self, what: int) -> None:
        """All rows that were not told yet; `what`: whether they are the last of a page."""
        told = {table: rows for table, rows in self._untold.items() if rows}
        content = marshal.dumps((what, told, self._untold_apart))
        send(self._questions, content)
        # As copies: what was just encoded holds a KiB for some hundred bytes.
        for table, rows in marshal.loads(content)[1].items():
            self._count += len(rows)
            self._newest[table].update(rows)
        self._count += len(self._untold_apart)
        self._untold.clear()
        self._untold_apart.clear()
        if self._count >= _RECENT:
            for table, rows in self._older.items():
                for key in rows:
                    self._oldest.add((table, key))
            self._older, self._newest, self._count = self._newest, defaultdict(dict), 0

    def _ask(self, what: int, table: str, key: str) -> Any:
        self.tell(ROWS)
        send(self._questions, marshal.dumps((what, table, key)))
        while (content := receive(self._answers)) is not None:
            kind, found = marshal.loads(content)
            if kind == what:
                return found
            self._ahead.append(content)
        raise BrokenPipeError("nobody answers")


def work(pages: IO[bytes], told: IO[bytes]) -> None:
    """Until no page comes any more."""
    code, path, pickled = marshal.loads(receive(pages) or b"")
    if code != CODE:
        raise RuntimeError(f"this is {CODE}, and it is asked by {code}")
    sys.path += [one for one in path if one not in sys.path]
    folding: Folding = pickle.loads(pickled)
    state = StateElsewhere(told, pages)
    while (page := state.page()) is not None:
        lines, noted = page
        for number, encoded in enumerate(lines):
            state.apart = number if noted else None
            folding.fold_read(Fact.from_json(orjson.loads(encoded)), state)
        state.tell(FOLDED)


def main() -> None:
    # It ends with the one that started it, who may go on to the end when it is told to stop.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    # What anything prints must not be taken for rows.
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    gc.disable()
    with suppress(BrokenPipeError):  # whoever asked is gone
        work(sys.stdin.buffer, told)


if __name__ == "__main__":
    main()
