"""Steps as threads of this process."""

import os
from concurrent.futures import Future, ThreadPoolExecutor

from freehold.domain.run import Result
from freehold.ports.engine import Engine, EngineSettings, Task


class InlineEngine(Engine):
    """Cannot end a step that takes too long: it is not `Kills`."""

    def __init__(self, width: int | None = None) -> None:
        """As many at once as there are processors, unless told otherwise."""
        self._width = width or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._width, thread_name_prefix="freehold-step")

    @classmethod
    def open(cls, settings: EngineSettings) -> "InlineEngine":
        return cls(settings.width)

    @property
    def width(self) -> int:
        return self._width

    def submit(self, task: Task) -> Future[Result]:
        return self._threads.submit(task.perform)

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
