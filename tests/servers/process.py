"""A server in a process group of its own, on a free loopback port."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

REPOSITORY = Path(__file__).parents[2]
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 5.0


class ServerFailed(Exception):
    """It is not installed, or did not start. Says what to install, or shows its log."""


def free_port() -> int:
    """Free a moment ago: another process may take it first, so a start is tried again."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    """Whether an HTTP server answers there, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def executable(name: str, install: str) -> str:
    """Beside this Python, in `.environments/servers`, or on PATH, in this order."""
    folders = [Path(sys.executable).parent, REPOSITORY / ".environments/servers/node_modules/.bin"]
    found = shutil.which(name, path=os.pathsep.join(map(str, folders))) or shutil.which(name)
    if found is None:
        raise ServerFailed(f"this test needs {name}, which is not installed\n  hint: {install}")
    return found


class Process:
    """One process and its children, in a group of their own, with what they print in a file."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        # Where the machine has it: a test run that is killed takes its servers with it.
        setpriv = shutil.which("setpriv")
        bound = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*bound, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """Asks, then kills; the whole group is gone afterwards."""
        if self.running:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SECONDS_TO_STOP)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Server(ABC):
    """Starts with `with`, listens on loopback only, leaves nothing behind."""

    name: str

    def __init__(self) -> None:
        self.port = 0
        self.folder = Path()
        self._process: Process | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """For `self.port`, with its data below `self.folder`."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Returns when it answers. Raises ServerFailed with its log, or with what to install."""
        self.folder = Path(tempfile.mkdtemp(prefix=f"freehold-{self.name}-"))
        try:
            self._start(attempts=3)
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self, attempts: int) -> None:
        self.port = free_port()
        self._process = Process(self.command(), self.folder / "log")
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until and self._process.running:
            # A stranger may have taken the port: its answer is none of ours.
            if answers(self.port) and self._process.running:
                return
            time.sleep(0.02)
        fault = "ended at once" if not self._process.running else "does not answer"
        log = self._process.log()
        self._process.stop()
        if attempts > 1 and "in use" in log:
            self._start(attempts - 1)
            return
        raise ServerFailed(f"{self.name} {fault}; it said:\n{log[-4000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
