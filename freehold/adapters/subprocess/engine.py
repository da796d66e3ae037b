"""Steps as processes of this machine."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from freehold.domain.errors import AdapterFailed
from freehold.domain.run import Failure, Result
from freehold.ports.engine import Engine, EngineSettings, Kills, Task

_TAIL = 2000
"""Characters of a lost process's last words that are shown."""


class SubprocessEngine(Engine, Kills):
    """Each step leads a process group of its own, so that all it starts ends with it."""

    def __init__(self, command: Sequence[str], folder: Path, width: int | None = None) -> None:
        """`command` runs a step when a manifest's address is put behind it; in `folder`."""
        self._command, self._folder = tuple(command), folder
        self._width = width or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._width, thread_name_prefix="freehold-process")
        self._running: set[subprocess.Popen[str]] = set()
        self._guard = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, settings: EngineSettings) -> "SubprocessEngine":
        return cls(settings.command, settings.folder, settings.width)

    @property
    def width(self) -> int:
        return self._width

    def submit(self, task: Task) -> Future[Result]:
        return self._threads.submit(self._run, task)

    def close(self) -> None:
        with self._guard:
            self._closed = True
            for process in self._running:
                _kill(process)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _run(self, task: Task) -> Result:
        process = self._start(task)
        try:
            said, _ = process.communicate(timeout=task.timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            return Result(failure=Failure("step.timeout", f"still running after {task.timeout} s"))
        finally:
            with self._guard:
                self._running.discard(process)
        if said:
            sys.stderr.write(said)
        try:
            return task.collect()
        except KeyError:
            raise AdapterFailed(
                f"the process of step '{task.name}' ended without a result",
                why=f"exit status {process.returncode}: {said[-_TAIL:].strip()}",
                code="engine.lost",
            ) from None

    def _start(self, task: Task) -> "subprocess.Popen[str]":
        address = task.publish()
        with self._guard:
            if self._closed:
                raise AdapterFailed("the engine is closed", code="engine.closed")
            try:
                process = subprocess.Popen(
                    [*self._command, address],
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            except OSError as exc:
                raise AdapterFailed(
                    f"no process could be started for step '{task.name}'",
                    why=str(exc),
                    code="engine.start",
                ) from exc
            self._running.add(process)
        return process


def _kill(process: "subprocess.Popen[str]") -> None:
    """The whole group: the leader has not been waited for, so its number is still its own."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
