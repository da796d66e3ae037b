"""What a person at a terminal sees while bytes move between sites, and what nobody else sees."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from typing import Any

import pytest

FILE = "project: tiny\npipelines: {texts: steps:texts}\n"
STEPS = """\
import random

from freehold import pipeline, step


@step
def text(letters: int) -> str:
    return "".join(random.Random(letters).choices("0123456789abcdef", k=letters))


@pipeline
def texts() -> tuple[str, str]:
    return text(3_000_000), text(2_000_000)
"""
SIZE = "5.0/5.0 MB"


@pytest.fixture
def checkouts(neighbours: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
    """Of onprem, which has made two texts of 5 MB together, and of aws, which wants to have
    them."""
    first, second = neighbours(FILE, STEPS, aws=", keeps: [results]")
    made = first.freehold("run", "--yes")
    assert made.code == 0, made.err
    return first, second


def at_a_terminal(checkout: Any, *arguments: str) -> str:
    """What the command writes to stderr where that is a terminal, with all that draws."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command = [sys.executable, "-m", "freehold.cli.main", *arguments]
    given = {**os.environ, "TERM": "xterm", "PYTHONDONTWRITEBYTECODE": "1"}
    nothing = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=checkout.folder, env=given, stdin=nothing, stdout=nothing, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b""
        # On Linux the end of the other side is an error.
        with suppress(OSError):
            while more := os.read(ours, 65536):
                written += more
    os.close(ours)
    assert process.returncode == 0, written
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())


def bars(written: str, kind: str) -> list[str]:
    """As they were drawn, one after another."""
    return re.findall(rf"^{kind} .*$", written.replace("\r", "\n"), re.MULTILINE)


def test_bars_of_what_leaves_and_of_what_comes(checkouts: tuple[Any, Any]) -> None:
    first, second = checkouts
    for checkout in (first, second):
        written = at_a_terminal(checkout, "sync")
        artifacts, history = bars(written, "artifacts"), bars(written, "history")
        assert artifacts and SIZE in artifacts[-1], "the whole is known, and all of it has come"
        assert history and re.search(r"[\d.]+/\? (kB|bytes)", history[-1]), "it is not known"
    assert bars(at_a_terminal(second, "sync"), "artifacts") == [], "nothing is left to move"


def test_no_bar_where_nobody_looks(checkouts: tuple[Any, Any]) -> None:
    first, second = checkouts
    process = first.start("sync")
    said = first.finish(process)
    assert said.code == 0
    assert "2 artifacts left" in said.err
    assert "\x1b" not in said.err and bars(said.err, "artifacts") == []
    assert bars(at_a_terminal(second, "sync", "--json"), "artifacts") == []
