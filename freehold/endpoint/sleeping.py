"""An endpoint that is there only while it is asked.

Its sockets, that of HTTP and that of gRPC, are held by a small process, which starts it for the
first request that comes, and again for the next one after it went to sleep.

Whoever connects while it sleeps waits in a socket's queue: held, not refused. Imports nothing but
the standard library and this project's smallest parts.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import FrameType

from freehold.endpoint.listening import GRACE, bound, url_of

_STOPPED = 15 + 2 * GRACE
_OPTIONS = (("--port", "--listener"), ("--grpc-port", "--grpc-listener"))
"""What chooses a port, and what tells its socket's descriptor: of HTTP, of gRPC."""


def keep(
    command: Sequence[str],
    host: str,
    ports: Sequence[int],
    on_ready: Callable[[dict[str, str]], None],
    until: Sequence[int] = (),
) -> int:
    """Until SIGTERM or SIGINT, or an end of `until`. Returns the exit code.

    `command`: of the endpoint, which is told the descriptors of the listening sockets. It is
    started once at the beginning, so that what does not verify shows then; `on_ready` gets what it
    said, or its error. `ports`: of HTTP, then of gRPC if that is asked for.

    For the main thread. Raises Refused as `bound`.
    """
    wakes, woken = os.pipe()
    os.set_blocking(woken, False)
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in numbers}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    try:
        with ExitStack() as stack:
            listeners = [
                stack.enter_context(bound(host, port, option))
                for port, (option, _) in zip(ports, _OPTIONS, strict=False)
            ]
            held = [one.fileno() for one in listeners]
            sleeper = _Sleeper(command, held)
            said = sleeper.begin()
            on_ready({**said, "url": url_of(listeners[0])} if "url" in said else said)
            if "url" not in said:
                return sleeper.ended() or 1
            while not told:
                ends = [wakes, *until]
                if not sleeper.is_awake:
                    ends += held
                found, _, _ = select.select(ends, [], [])
                if wakes in found:
                    os.read(wakes, 4096)
                if any(one in found and not os.read(one, 4096) for one in until):
                    break
                if not sleeper.is_awake and not told and not set(held).isdisjoint(found):
                    sleeper.begin()
            return sleeper.end()
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wakes)
        os.close(woken)


class _Sleeper:
    def __init__(self, command: Sequence[str], held: Sequence[int]) -> None:
        """`held`: descriptors of the sockets that listen, in the order of their options."""
        told = [
            part
            for number, (_, option) in zip(held, _OPTIONS, strict=False)
            for part in (option, str(number))
        ]
        self._command, self._held = [*command, *told], held
        self._process: subprocess.Popen[str] | None = None

    @property
    def is_awake(self) -> bool:
        """A process that ended, in whatever way, is started by the next request."""
        if self._process is not None and self._process.poll() is not None:
            self._close()
        return self._process is not None

    def begin(self) -> dict[str, str]:
        """Returns what it said first."""
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, text=True, pass_fds=self._held
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        said: dict[str, str] = json.loads(line) if line.startswith("{") else {}
        return said

    def ended(self) -> int:
        """Its exit code, once it has one."""
        if self._process is None:
            return 0
        code = self._process.wait()
        self._close()
        return code

    def end(self) -> int:
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            self._process.wait(_STOPPED)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self.ended()

    def _close(self) -> None:
        assert self._process is not None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None


def command_of(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "freehold.endpoint", *arguments]
