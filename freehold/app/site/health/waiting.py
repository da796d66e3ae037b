"""Asks what may never answer.

A thread that waits for the network cannot be stopped from outside, so it is left behind: it holds
up neither the command nor its end.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from freehold.domain.errors import Unreachable

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """Seconds without an end after which something counts as not answering."""

    first: float = 10.0
    """For the first answer of a store, an endpoint or a key service."""
    whole: float = 60.0
    """For each longer conversation after that."""


def within(seconds: float, what: str, ask: Callable[[], T]) -> T:
    """Raises Unreachable `doctor.no-answer`, and whatever `ask` raises."""
    answer = _asked(ask)
    try:
        return answer.result(seconds)
    except TimeoutError:
        if answer.done():
            raise
        raise Unreachable(
            f"{what} did not answer within {seconds:g} s",
            why="it may be down, or the network drops what is sent to it",
            hint="see whether this machine reaches its address, and repeat `freehold doctor`",
            code="doctor.no-answer",
        ) from None


def together(asks: Sequence[Callable[[], T]]) -> list[T]:
    """All at once; answers in the order of what was asked. What one raises is raised."""
    return [answer.result() for answer in [_asked(ask) for ask in asks]]


def _asked(ask: Callable[[], T]) -> Future[T]:
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 - raised again where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer
