"""One of an endpoint's processes, as the first one sees it, and what the two tell each other."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a process that ended is started again, doubled as long as it ends at once."""
LASTED = 10.0
"""Seconds after which a process did not end at once."""
LASTING = 6.0
"""Seconds after which one whose place was taken has not gone: a stream is open, as a rule. Longer
than connections by HTTP are left to say nothing."""
ALONE, RETIRE, DOZE, ROUSE, STOP = b"a", b"r", b"d", b"w", b"s"


@dataclass
class Member:
    place: int
    pid: int = 0
    """0 while there is none."""
    told: int = -1
    """File descriptor of what it tells."""
    bids: int = -1
    """File descriptor by which it is bidden; its end is the first process's end."""
    began: float = 0.0
    """In seconds of the monotonic clock, as `due`."""
    due: float = 0.0
    """When it is to be started again."""
    pause: float = FIRST_PAUSE
    ready: bool = False
    idle: bool = False
    left: bool = False
    """Whether nobody is connected to it by gRPC, since it was bidden to doze."""
    retired: float = math.inf
    """When another took its place."""

    def bid(self, what: bytes) -> None:
        """To one that has just ended nothing can be said."""
        if self.pid:
            try:
                os.write(self.bids, what)
            except BrokenPipeError:
                return

    def retire(self, now: float) -> None:
        """Another took its place."""
        self.retired = now
        self.bid(RETIRE)

    def lasts(self, now: float) -> bool:
        """Whether it is still there though it should have gone."""
        return now - self.retired > LASTING

    def close(self) -> None:
        os.close(self.told)
        os.close(self.bids)

    def ended(self, now: float) -> None:
        """It is to be started again, after a while if it did not last."""
        lasted = now - self.began >= LASTED
        self.pause = FIRST_PAUSE if lasted else min(2 * self.pause, LONGEST_PAUSE)
        self.pid, self.idle, self.left = 0, False, False
        self.due = now + (0.0 if lasted else self.pause)


class Bidding:
    """What the first process bids this one."""

    def __init__(self, reading: int, is_alone: bool) -> None:
        """`is_alone`: as if bidden so already."""
        self._reading = reading
        self._alone = Event()
        if is_alone:
            self._alone.set()
        self._retired = math.inf

    def waits(self) -> bool:
        """Whether a model that this process lacks is to be left to the first one, which loads it
        for all. Once asked after the first one could not, no; nor where this process lasts though
        another took its place: none will take over."""
        if self._alone.is_set():
            self._alone.clear()
            return False
        return time.monotonic() - self._retired < LASTING

    def obey(self, biddings: Mapping[bytes, Callable[[], None]], stop: Callable[[], None]) -> None:
        """From now on, on a thread of its own. `stop`: the first process has ended."""

        def listen() -> None:
            while told := os.read(self._reading, 64):
                for bidden in (told[at : at + 1] for at in range(len(told))):
                    if bidden == ALONE:
                        self._alone.set()
                        continue
                    if bidden == RETIRE:
                        self._retired = time.monotonic()
                    biddings[bidden]()
            stop()

        Thread(target=listen, name="bidding", daemon=True).start()


def say(writing: int, said: dict[str, Any]) -> None:
    """To the first process."""
    os.write(writing, json.dumps(said).encode() + b"\n")
