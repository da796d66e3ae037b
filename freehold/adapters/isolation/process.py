"""One process with one model in it."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.isolation.settings import ProcessSettings
from freehold.adapters.isolation.worker import FRAME, QUESTION
from freehold.domain.errors import Failed

PROGRAM = Path(__file__).with_name("worker.py")
LOOK = 0.25
"""Seconds between two looks at a process that has not answered yet: whether it lives, since a child
of its own may hold the socket open, and what it holds."""
RESERVED = 2 * 2**30
"""Bytes that libraries reserve and do not use (1 GiB by Arrow alone), which the system's limit
counts all the same."""
PASSED = (
    *("CUDA_", "HOME", "LANG", "LC_", "LD_LIBRARY_PATH", "MKL_", "NVIDIA_", "OMP_", "OPENBLAS_"),
    *("PATH", "TMPDIR", "TZ"),
)
"""Variables that a model gets to see, by how they begin: none of a site's secrets."""


_FROM = """\
import os, runpy, sys
_, libraries, *sys.argv = sys.argv
sys.path += libraries.split(os.pathsep)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Starts a program that finds libraries in these folders."""
WORDS = (
    ("runtime.model-raised", "the model raised an error"),
    ("runtime.wrong-answer", "the model gave what is no score for each row"),
    ("runtime.not-loaded", "the model cannot be loaded"),
    ("runtime.out-of-memory", "the model took too much memory"),
)
"""For what the worker tells by its code alone."""


class ModelFailed(Failed):
    """The model did not do this; its process is as it was."""

    code = "runtime.model-raised"


class ModelProcess:
    """Not for several threads at once."""

    def __init__(self, model: Mapping[str, Any], folder: Path, settings: ProcessSettings) -> None:
        """`model`: `kind` and what this kind needs, see `worker.py`. Returns when the model is
        loaded. Raises Failed `runtime.not-started`, ModelFailed with the worker's code.
        """
        self._memory = settings.memory
        self._channel, theirs = socket.socketpair()
        given = {**model, "folder": str(folder), "memory": settings.memory + RESERVED}
        command = [settings.python, "-I", "-B", str(PROGRAM)]
        if settings.libraries:
            command = [settings.python, "-I", "-S", "-B", "-c", _FROM, settings.libraries]
            command.append(str(PROGRAM))
        try:
            self._process = subprocess.Popen(
                [*command, json.dumps({**given, "socket": theirs.fileno()})],
                stdin=subprocess.DEVNULL,
                # What a model prints must not be taken for what this process says.
                stdout=2,
                cwd=folder.parent,
                env={k: v for k, v in os.environ.items() if k.startswith(PASSED)},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as exc:
            self._channel.close()
            raise Failed(
                f"{settings.python} does not start", why=str(exc), code="runtime.not-started"
            ) from exc
        finally:
            theirs.close()
        try:
            try:
                kind, content = self._receive(time.monotonic() + settings.start)
            except Failed as exc:
                raise Failed(
                    "the model's process does not start",
                    why=f"{exc.what}: {exc.why}" if exc.why else exc.what,
                    code="runtime.not-started",
                ) from exc
            if kind != b"L":
                raise _told(content)
            self.width = int(json.loads(content)["width"])
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds; 0 where the system does not tell."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def ask(self, matrix: NDArray[np.float32], deadline: float) -> NDArray[np.float64]:
        """`deadline`: on the monotonic clock. Raises ModelFailed, after which it may be asked on,
        and another Failed (`runtime.process-ended`, `runtime.timed-out`, `runtime.out-of-memory`),
        after which not.
        """
        rows, columns = matrix.shape
        seconds = max(deadline - time.monotonic(), 0.0)
        body = np.ascontiguousarray(matrix, dtype=np.float32).tobytes()
        content = QUESTION.pack(seconds, rows, columns) + body
        try:
            self._channel.settimeout(max(seconds, 1e-3))
            self._channel.sendall(FRAME.pack(b"?", len(content)) + content)
        except TimeoutError as exc:
            raise _late() from exc
        except OSError as exc:
            raise self._ended() from exc
        kind, content = self._receive(deadline)
        if kind != b"A":
            raise _told(content)
        if len(content) != 8 * rows:
            raise Failed(
                "the model's process answers what was not asked", code="runtime.process-ended"
            )
        return np.frombuffer(content, np.float64)

    def end(self) -> None:
        """At once, with all that it started."""
        if self._process.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._channel.close()

    def _receive(self, deadline: float) -> tuple[bytes, bytes]:
        kind, length = FRAME.unpack(self._exactly(FRAME.size, deadline))
        return kind, self._exactly(length, deadline)

    def _exactly(self, size: int, deadline: float) -> bytes:
        got = bytearray(size)
        view = memoryview(got)
        while view:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _late()
            self._channel.settimeout(min(left, LOOK))
            try:
                count = self._channel.recv_into(view)
            except TimeoutError:
                if self._is_gone():
                    raise self._ended() from None
                if self.resident > self._memory:
                    raise _too_large() from None
                continue
            except OSError as exc:
                raise self._ended() from exc
            if not count:
                raise self._ended()
            view = view[count:]
        return bytes(got)

    def _is_gone(self) -> bool:
        """Without taking its exit status: the number of its group stays its own until `end`."""
        if not hasattr(os, "waitid"):
            return self._process.poll() is not None
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None

    def _ended(self) -> Failed:
        self.end()
        code = self._process.returncode
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        return Failed("the model's process has ended", why=how, code="runtime.process-ended")


def _late() -> Failed:
    return Failed("the model did not answer in time", code="runtime.timed-out")


def _too_large() -> Failed:
    return Failed("the model took too much memory", code="runtime.out-of-memory")


def _told(content: bytes) -> ModelFailed:
    told = json.loads(content)
    what = told.get("what") or dict(WORDS).get(told["code"], "the model's process failed")
    return ModelFailed(what, why=told["why"], code=told["code"])
