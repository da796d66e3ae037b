"""How long a client is waited for."""

from typing import Protocol

LEAST = 1024
"""Bytes that a client takes in a second at least, of what was given to it."""


class Patience(Protocol):
    """In seconds."""

    head: float
    """For a greeting, or a block of headers, to be whole."""
    body: float
    """For a frame."""
    taking: float
    """For a client to take what it was sent."""
    silence: float
    """After which it is asked whether it is there."""
    lost: float
    """For it to say so."""


class Pace:
    """How much is taken, by periods."""

    __slots__ = ("since", "taken")

    def __init__(self, now: float, taken: int = 0) -> None:
        """`taken`: bytes, before this period began."""
        self.since, self.taken = now, taken

    def pass_over(self, seconds: float) -> None:
        """They do not count: nothing could be taken."""
        self.since += seconds

    def is_least(self, now: float, taken: int, period: float) -> bool:
        """Whether a period, in seconds, is over in which less than LEAST was taken. Another begins
        with its end."""
        if now - self.since <= period:
            return False
        before, self.since, self.taken = self.taken, now, taken
        return taken - before < LEAST * period
