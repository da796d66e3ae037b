"""What a long step saves on its way, so that it goes on from there wherever it runs next.

    saved = checkpoint.latest()
    checkpoint.save(state)

For steps that say `resumes=True`. Run by Freehold, a checkpoint is an artifact and a fact, and is
gone when the run is over. Called as a plain function, the step finds what it saved before it
raised, in this process. It works in the step's own thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

from freehold.domain.checkpoints import Checkpoints, Saved

_current: ContextVar[Checkpoints | None] = ContextVar("freehold_checkpoints", default=None)


def latest() -> bytes | None:
    """The newest that was saved and whose bytes verify; None at the first beginning.

    Raises WrongUsage `step.not-resuming` in a step that does not say `resumes=True`.
    """
    return _now().latest()


def save(data: bytes) -> Saved:
    """Returns what it cost. Nothing is throttled: each call writes all of `data` to the site's
    store, one fact to its history and, where the step was asked for by another site, the bytes to
    a store that others reach.

    A store that fails does not fail the step: the answer has its fault, and whoever runs the step
    tells it. Raises WrongUsage as `latest` does.
    """
    return _now().save(bytes(data))


class InMemory(Checkpoints):
    """Only the newest is kept."""

    def __init__(self) -> None:
        self._newest: bytes | None = None
        self._number = 0

    def latest(self) -> bytes | None:
        return self._newest

    def save(self, data: bytes) -> Saved:
        began = perf_counter()
        self._newest, self._number = data, self._number + 1
        return Saved(self._number, len(data), perf_counter() - began)


@contextmanager
def kept_by(checkpoints: Checkpoints) -> Iterator[None]:
    """Within it, in this thread, these are what `latest` and `save` work with."""
    token = _current.set(checkpoints)
    try:
        yield
    finally:
        _current.reset(token)


_of_functions: dict[str, InMemory] = {}


@contextmanager
def in_memory(address: str) -> Iterator[None]:
    """For a step that is called as a function: kept until it returns."""
    if _current.get() is not None:
        yield
        return
    with kept_by(_of_functions.setdefault(address, InMemory())):
        yield
    del _of_functions[address]


def _now() -> Checkpoints:
    found = _current.get()
    return found if found is not None else _of_functions.setdefault("", InMemory())
