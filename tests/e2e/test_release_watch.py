"""`freehold release status --watch`, typed at a terminal: drawn anew until the release is over."""

import os
import pty
import re
import select
import signal
import sys
from collections.abc import Callable, Iterator
from subprocess import Popen
from typing import Any

import pytest

_MARKS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


PATIENCE = 120.0
"""Seconds until what shows nothing more counts as hanging."""


# Who runs the tests in the background has its children ignore an interruption.
INTERRUPTIBLE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "freehold.cli.main", *sys.argv[1:]])
"""


class Terminal:
    """What a command of its own process shows at one."""

    def __init__(self, project: Any, *arguments: str) -> None:
        self._end, end = pty.openpty()
        self.process = Popen(
            [sys.executable, "-c", INTERRUPTIBLE, *arguments],
            cwd=project.folder,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
            stdin=end,
            stdout=end,
            stderr=end,
        )
        os.close(end)
        self.raw = b""

    @property
    def shown(self) -> str:
        """All that was ever drawn, without what moves the cursor."""
        return _MARKS.sub("", self.raw.decode(errors="replace"))

    def more(self) -> bool:
        """Waits for some; whether the terminal is open still."""
        assert select.select([self._end], [], [], PATIENCE)[0], self.shown
        try:
            data = os.read(self._end, 1 << 16)
        except OSError:
            # The other end is closed: so Linux says it.
            return False
        self.raw += data
        return bool(data)

    def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            assert self.more(), self.shown

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


@pytest.fixture
def watching(serving: Any) -> Iterator[Terminal]:
    assert serving.freehold("release", "delay@2", "--yes").code == 0
    terminal = Terminal(serving, "release", "status", "delay", "--watch")
    yield terminal
    terminal.close()


def test_it_is_drawn_anew_and_ends_with_the_release(serving: Any, watching: Terminal) -> None:
    watching.until(lambda: "delay@2 beside 1, canary, running" in watching.shown)
    assert serving.freehold("release", "pause", "delay", "--yes").code == 0
    watching.until(lambda: "delay@2 beside 1, canary, paused" in watching.shown)
    assert watching.process.poll() is None
    assert serving.freehold("release", "abort", "delay", "--yes").code == 0
    while watching.more():
        pass
    assert watching.process.wait() == 0
    last = watching.shown.rpartition("release delay/")[2]
    assert "rolled-back, person" in last and "Traceback" not in watching.shown
    # Over the picture before, not below it.
    assert b"\x1b[1A" in watching.raw


def test_an_interruption_leaves_the_last_picture(watching: Terminal) -> None:
    watching.until(lambda: "running" in watching.shown)
    watching.process.send_signal(signal.SIGINT)
    while watching.more():
        pass
    watching.process.wait()
    assert "Traceback" not in watching.shown
    assert b"\x1b[?25h" in watching.raw, "the cursor is there again"
