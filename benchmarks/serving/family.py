"""What a server's processes take together: it, what it started, and what is left in its session."""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
GRACE = 20.0
"""Seconds that each word of three gets."""
PAUSE = 0.05


class Status(NamedTuple):
    """What `/proc/PID/stat` says."""

    parent: int
    session: int
    spent: float
    """Seconds of processor time, of all threads."""
    started: int
    """With the id, what tells a process from another that has its id later."""
    gone: bool
    """Ended, and not yet waited for."""


class Member(NamedTuple):
    pid: int
    started: int


def status(text: str) -> Status:
    fields = text.rpartition(")")[2].split()
    spent = (int(fields[11]) + int(fields[12])) / TICKS
    return Status(int(fields[1]), int(fields[3]), spent, int(fields[19]), fields[0] == "Z")


def family_of(pid: int, everyone: dict[int, Status]) -> list[Member]:
    """The process first."""
    found = {pid}
    while True:
        more = {
            other
            for other, one in everyone.items()
            if other not in found and (one.parent in found or one.session == pid)
        }
        if not more:
            break
        found |= more
    living = [one for one in sorted(found) if one in everyone and not everyone[one].gone]
    living.sort(key=lambda one: one != pid)
    return [Member(one, everyone[one].started) for one in living]


def everyone() -> dict[int, Status]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found[int(path.parent.name)] = status(path.read_text())
    return found


def family(pid: int) -> list[Member]:
    return family_of(pid, everyone())


def spent(pid: int) -> float:
    """Seconds of processor time, of all threads of one process."""
    return status(Path(f"/proc/{pid}/stat").read_text()).spent


def spent_together(pid: int) -> float:
    """Seconds, of the whole family."""
    now = everyone()
    return sum(now[one.pid].spent for one in family_of(pid, now))


def memory(pid: int) -> float:
    """Megabytes of the whole family: what is shared counts in parts (PSS)."""
    return sum(_share(one.pid) for one in family(pid)) / 1e6


def _share(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("the kernel tells no PSS")


def stop(pid: int) -> None:
    """Ends it, then whatever it leaves behind. Whoever started it has still to wait for it."""
    members = family(pid)
    for told, word in (
        (members[:1], signal.SIGTERM),
        (members, signal.SIGTERM),
        (members, signal.SIGKILL),
    ):
        for one in _left(told):
            with suppress(ProcessLookupError):
                os.kill(one.pid, word)
        until = time.monotonic() + GRACE
        while _left(told) and time.monotonic() < until:
            time.sleep(PAUSE)


def _left(members: Sequence[Member]) -> list[Member]:
    now = everyone()
    return [
        one
        for one in members
        if one.pid in now and now[one.pid].started == one.started and not now[one.pid].gone
    ]
