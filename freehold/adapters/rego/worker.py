"""A thread that is asked, and not waited for beyond a time."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

_Task = tuple[Callable[[], Any], SimpleQueue[Any]]
"""What to do, and where its own answer goes: nobody ever gets that of another task."""


class Worker:
    """One task after another. After one that took too long it must not be asked again: it may still
    be at that one, and ends after it, once nobody holds the worker."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        Thread(target=_work, args=(self._tasks,), daemon=True, name=name).start()

    def ask(self, task: Callable[[], Any], seconds: float) -> Any:
        """What `task` returns; it may not raise. Raises TimeoutError after `seconds`."""
        answer: SimpleQueue[Any] = SimpleQueue()
        self._tasks.put((task, answer))
        try:
            return answer.get(timeout=seconds)
        except Empty:
            raise TimeoutError from None

    def __del__(self) -> None:
        self._tasks.put(None)


def _work(tasks: SimpleQueue[_Task | None]) -> None:
    while (asked := tasks.get()) is not None:
        task, answer = asked
        answer.put(task())
