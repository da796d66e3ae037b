"""Kills a process at a chosen point of its work, and tells what it had acknowledged by then.

A script runs in a process of its own with `acknowledge(line)` and `sys.argv[1:]`. It is killed
with SIGKILL either by itself, between two lines of the product's code chosen by the seed, or by
its parent, a seeded moment after one of its acknowledgements, which may be in the middle of a
system call. What a kill does not show is what a loss of power does to unsynced bytes.
"""

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep

_ROOT = Path(__file__).parents[2]
_PRELUDE = Path(__file__).with_name("child.py")
_LIMIT = 120.0
"""Seconds after which a child counts as stuck."""


@dataclass(frozen=True)
class Outcome:
    acknowledged: tuple[str, ...]
    killed: bool
    """False if the script ended before its point came."""
    place: str
    """`file:line` where it killed itself; empty if its parent did, or nobody."""


class CrashFailed(Exception):
    """The script itself is wrong: it raised."""


def count_lines(script: str, arguments: Sequence[str | Path] = ()) -> int:
    """How many lines of the product's code a whole run of the script passes."""
    outcome, last = _run(script, arguments, kill_at=0)
    if outcome.killed:
        raise CrashFailed("a run that nobody kills was killed")
    return int(last)


def run_until_killed(
    script: str, arguments: Sequence[str | Path] = (), *, seed: int, lines: int
) -> Outcome:
    """Killed between two lines of the product's code, chosen by the seed among `lines`."""
    kill_at = random.Random(seed).randrange(1, lines + 1)
    outcome, _ = _run(script, arguments, kill_at=kill_at)
    return outcome


def run_until_killed_by_parent(
    script: str, arguments: Sequence[str | Path] = (), *, seed: int, acknowledgements: int
) -> Outcome:
    """Killed a moment of up to 3 ms after one of its acknowledgements, both by the seed."""
    chosen = random.Random(seed)
    after, moment = chosen.randrange(acknowledgements), chosen.random() * 0.003
    child = _start(script, arguments, kill_at=-1)
    assert child.stdout is not None
    lines = []
    for _ in range(after + 1):
        lines.append(child.stdout.readline())
    sleep(moment)
    child.kill()
    # `communicate` would pass over what reading a line has taken from the pipe beyond it.
    assert child.stderr is not None
    with child.stdout, child.stderr:
        rest, errors = child.stdout.read(), child.stderr.read()
    _check(child.wait(timeout=_LIMIT), errors)
    complete = "".join([*lines, rest]).split("\n")[:-1]
    acknowledged = [line for line in complete if not line.startswith("@")]
    return Outcome(tuple(acknowledged), child.returncode < 0, "")


def _run(script: str, arguments: Sequence[str | Path], *, kill_at: int) -> tuple[Outcome, str]:
    child = _start(script, arguments, kill_at=kill_at)
    output, errors = child.communicate(timeout=_LIMIT)
    _check(child.returncode, errors)
    lines = output.split("\n")[:-1]
    marks = [line[1:] for line in lines if line.startswith("@")]
    acknowledged = tuple(line for line in lines if not line.startswith("@"))
    killed = child.returncode < 0
    last = marks[-1] if marks else ""
    return Outcome(acknowledged, killed, last if killed else ""), last


def _start(
    script: str, arguments: Sequence[str | Path], *, kill_at: int
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(_PRELUDE), str(kill_at), script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def _check(code: int, errors: str) -> None:
    if code not in (0, -9):
        raise CrashFailed(f"the script ended with {code}:\n{errors}")
