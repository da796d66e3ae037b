"""One process turns a model's loop at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

from freehold.app.site.opening import Site
from freehold.domain.errors import Conflict

PAUSE, LOOKS = 0.05, 12_000
"""Seconds between two looks at a turn that another process takes, and how many: ten minutes."""


class LoopBusy(Conflict):
    """Another process turns it."""

    code = "loop.busy"


@contextmanager
def turn(site: Site, model: str, wait: bool = False) -> Iterator[None]:
    """Raises LoopBusy when another process turns it, after waiting if told to."""
    looks = LOOKS if wait else 1
    for look in range(looks):
        held = site.locks.take(f"loop {model}")
        if held is not None:
            break
        if look + 1 == looks:
            raise LoopBusy(
                f"the loop of {model} is being turned already",
                why="another process holds its turn",
                hint="it carries out what is approved; `freehold status` shows how far it is",
            )
        sleep(PAUSE)
    try:
        yield
    finally:
        if held is not None:
            held.release()
