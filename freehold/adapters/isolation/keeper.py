"""Keeps one process of a model running: one call after another, a new process when one is lost."""

import os
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.isolation.process import ModelFailed, ModelProcess
from freehold.adapters.isolation.settings import ProcessSettings
from freehold.domain.errors import Failed

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a process is started again, doubled each time until a call is answered. The first
time it is started at once: whoever waits has done nothing wrong."""
WORN, GROWN = 0.8, 1.25
"""A process is replaced when it holds so much of its memory, and so much more than it began with: a
model that is large has not leaked."""


class Keeper:
    """For many threads. A process that is lost costs the call that it answered; the others wait."""

    def __init__(self, start: Callable[[], ModelProcess], settings: ProcessSettings) -> None:
        """Raises what `start` raises, if the first process does not start."""
        self._start, self._settings, self._owner = start, settings, os.getpid()
        self._changed = threading.Condition()
        self._process: ModelProcess | None = start()
        self._width = self._process.width
        self._began_with = self._process.resident
        self._busy = self._worn = self._swapping = self._closed = False
        self._waiting = self._lost = self._not_started = 0
        self._why = ""
        threading.Thread(target=self._keep, name="model process keeper", daemon=True).start()

    @property
    def width(self) -> int:
        return self._width

    @property
    def pid(self) -> int | None:
        process = self._process
        return None if process is None else process.pid

    def ask(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Raises Failed: what the process does, `runtime.busy`, `runtime.down`."""
        process = self._taken(time.monotonic() + self._settings.deadline)
        is_lost = is_worn = False
        try:
            # Whoever waited long has as long as the others: it is no fault of the process.
            answer = process.ask(matrix, time.monotonic() + self._settings.deadline)
            is_worn = process.resident > self._too_much
        except ModelFailed as exc:
            is_worn = exc.code == "runtime.out-of-memory"
            raise
        except BaseException as exc:
            # A question that was left half asked would be answered to the next one.
            is_lost = True
            self._why = f"{exc!r:.200}"
            raise
        finally:
            self._give_back(process, is_lost, is_worn)
        return answer

    @property
    def _too_much(self) -> float:
        return max(WORN * self._settings.memory, GROWN * self._began_with)

    def close(self) -> None:
        if os.getpid() != self._owner:
            return
        with self._changed:
            self._closed = True
            process, self._process = self._process, None
            self._changed.notify_all()
        if process is not None:
            process.end()

    def _taken(self, deadline: float) -> ModelProcess:
        if os.getpid() != self._owner:
            raise Failed(
                "the model's process is that of another one",
                why="this process was forked after the model was loaded",
                hint="load the model in each process",
                code="runtime.forked",
            )
        with self._changed:
            if self._waiting >= self._settings.queue:
                raise Failed(
                    f"{self._waiting} calls already wait for the model",
                    hint="ask again later, or raise FREEHOLD_MODEL_QUEUE",
                    code="runtime.busy",
                )
            self._waiting += 1
            try:
                while self._busy or self._swapping or self._process is None:
                    left = deadline - time.monotonic()
                    if left <= 0 or self._closed:
                        raise self._unanswered()
                    self._changed.wait(left)
                self._busy = True
                return self._process
            finally:
                self._waiting -= 1

    def _unanswered(self) -> Failed:
        if self._process is None:
            return Failed("the model's process is not there", why=self._why, code="runtime.down")
        return Failed("the model answered others for too long", code="runtime.busy")

    def _give_back(self, process: ModelProcess, is_lost: bool, is_worn: bool) -> None:
        with self._changed:
            self._busy = False
            self._worn = self._worn or is_worn
            if is_lost:
                self._lost += 1
                if self._process is process:
                    self._process = None
            else:
                self._lost = 0
            self._changed.notify_all()
        if is_lost:
            process.end()

    def _keep(self) -> None:
        while True:
            with self._changed:
                while self._process is not None and not self._worn and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                if self._lost > 1 or self._not_started:
                    pause = _pause(max(self._lost - 2, self._not_started - 1))
                    self._changed.wait_for(lambda: self._closed, pause)
            self._replace()

    def _replace(self) -> None:
        """Starts a process, beside the one that is worn if there is one, and puts it in its place.

        The one that is worn goes on answering until the new one can.
        """
        try:
            new = self._start()
        except Exception as exc:  # noqa: BLE001 - a keeper that ended would start nothing any more
            with self._changed:
                self._not_started += 1
                self._why = f"{exc!r:.200}"
            return
        with self._changed:
            self._swapping = True
            self._changed.wait_for(lambda: self._closed or not self._busy)
            old = new if self._closed else self._process
            if not self._closed:
                self._process, self._began_with = new, new.resident
            self._worn = self._swapping = False
            self._not_started = 0
            self._changed.notify_all()
        if old is not None:
            old.end()


def _pause(times: int) -> float:
    return min(FIRST_PAUSE * 2.0 ** min(max(times, 0), 20), LONGEST_PAUSE)
