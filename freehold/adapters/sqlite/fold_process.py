"""Folds many facts with a second process: it reads them while this one writes their rows."""

import fcntl
import marshal
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from queue import SimpleQueue
from typing import IO

from freehold.adapters.sqlite.fold import Page
from freehold.adapters.sqlite.fold_worker import CODE, FOLDED, GET, ROOT, SCAN, receive, send
from freehold.adapters.sqlite.state import GatheredState
from freehold.domain.projection import Folding

_AHEAD = 128
"""Pages that are under way at once, at most: as many as are folded while rows are written."""
_COMMAND = (sys.executable, "-P", "-m", "freehold.adapters.sqlite.fold_worker")
_PIPE = 2**20
"""Bytes that a pipe holds, where it may: a page of facts or its rows."""


class FoldProcessEnded(Exception):
    """It did not fold all. What it said of it stands on the standard error."""


class FoldProcess:
    """Folds once, into a state that is empty."""

    def __init__(self, folding: Folding) -> None:
        """Returns before it is ready. Raises FoldProcessEnded if it does not start."""
        self._asked: SimpleQueue[bytes | None] = SimpleQueue()
        self._told: SimpleQueue[bytes | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        try:
            self._asked.put(marshal.dumps((CODE, sys.path, pickle.dumps(folding))))
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_found_first())},
                # What a terminal tells a command is for the command to heed.
                start_new_session=True,
            )
        except (OSError, pickle.PicklingError, AttributeError, TypeError) as exc:
            raise FoldProcessEnded(str(exc)) from exc
        pages, rows = self._process.stdin, self._process.stdout
        try:
            for stream, work in ((pages, self._send), (rows, self._receive)):
                assert stream is not None
                _widen(stream)
                # Nobody waits for it where this is interrupted before it is closed.
                thread = threading.Thread(
                    target=work, args=(stream,), name="ledger-folding", daemon=True
                )
                thread.start()
                self._threads.append(thread)
        except RuntimeError as exc:  # no thread can be had
            self.close()
            raise FoldProcessEnded(str(exc)) from exc
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """None when it has ended."""
        return self._process.pid if self._process.poll() is None else None

    def close(self) -> None:
        """Whatever it does. May be repeated."""
        self._process.kill()
        self._process.wait()
        self._asked.put(None)
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()

    def fold(self, pages: Iterable[Page], state: GatheredState) -> None:
        """Raises FoldProcessEnded; what it wrote until then is of no use."""
        under_way: deque[Page] = deque()
        for page in pages:
            lines = [encoded for _, encoded in page.entries]
            self._asked.put(marshal.dumps((lines, page.noted)))
            under_way.append(page)
            while len(under_way) >= _AHEAD or not self._told.empty():
                self._take(under_way, state)
        while under_way:
            self._take(under_way, state)

    def _take(self, under_way: deque[Page], state: GatheredState) -> None:
        """The next that it tells."""
        content = self._told.get()
        if content is None:
            raise FoldProcessEnded("it ended before it had folded all")
        try:
            what, first, second = marshal.loads(content)
        except (ValueError, EOFError, TypeError) as exc:
            raise FoldProcessEnded("it told what is no row") from exc
        if what == GET:
            self._asked.put(marshal.dumps((what, state.encoded(first, second))))
        elif what == SCAN:
            self._asked.put(marshal.dumps((what, state.encoded_rows(first, second))))
        else:
            state.place = None
            state.write_tables(first)
            entries = under_way[0].entries
            for number, *row in second:
                state.place = entries[number][0]
                state.write([tuple(row)])
            if what == FOLDED:
                under_way.popleft()

    def _send(self, pages: IO[bytes]) -> None:
        # If it has ended, the other thread finds that out.
        with suppress(OSError), pages:
            while (content := self._asked.get()) is not None:
                send(pages, content)

    def _receive(self, rows: IO[bytes]) -> None:
        try:
            with rows:
                while (content := receive(rows)) is not None:
                    self._told.put(content)
        finally:
            # However it ended: somebody waits.
            self._told.put(None)


def _found_first() -> list[str]:
    """Where it is to look for Freehold before anything else: there is this process's own. The rest
    of the path, in which a project may have any names, it gets once it has started."""
    return [ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]


def _widen(stream: IO[bytes]) -> None:
    """Not every system can, and not for everyone: it goes through in pieces then."""
    with suppress(OSError, AttributeError):
        fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE)
