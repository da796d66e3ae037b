"""How an agent is asked to stop, and what it breaks off for that."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(BaseException):
    """Raised in the main thread, within `breakable`, when the agent is asked to stop.

    No Exception: nothing that handles failures may take it for one.
    """


class Stopping:
    def __init__(self) -> None:
        self.asked = False
        self._breakable = False

    def ask(self, *_: object) -> None:
        """What a signal does. Only plain attributes: a lock could be held by whom it interrupts."""
        self.asked = True
        if self._breakable:
            self._breakable = False
            raise Interrupted

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """What may be broken off at any point, since a kill may come at any point too."""
        if self.asked:
            raise Interrupted
        self._breakable = True
        try:
            yield
        finally:
            self._breakable = False

    def rest(self, seconds: float) -> None:
        """Raises Interrupted, before the time is over, when the agent is asked to stop."""
        with self.breakable():
            time.sleep(seconds)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT ask. For the main thread."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.ask) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
