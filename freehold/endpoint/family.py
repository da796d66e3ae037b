"""Several processes that answer at one port, and one that starts them anew when they end.

The first process listens, loads what may be shared, and forks the others, which share that memory
until a release brings something else. It answers nothing itself and starts no thread, so that it
can fork at any time.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from threading import Thread
from types import FrameType
from typing import Any, NoReturn

from freehold.domain.errors import Failed, FreeholdError
from freehold.domain.signature import PublicKey
from freehold.endpoint.adapters import model_runtime, model_signing
from freehold.endpoint.batching import Batching
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.endpoint_process import not_started
from freehold.endpoint.idleness import Idle
from freehold.endpoint.kin import Kin
from freehold.endpoint.listening import GRACE, HOST, bound, url_of
from freehold.endpoint.loading import KEY, LoadedTable, Loader, read
from freehold.endpoint.process import (
    be_quick,
    check_grpc,
    server_of,
    until_told,
    wall_clock,
)
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.response import Identity

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a process that ended is started again, doubled as long as it ends at once."""
LASTED = 10.0
"""Seconds after which a process did not end at once."""
_STOPPED = 15 + GRACE


@dataclass
class _Member:
    """One of the processes."""

    place: int
    pid: int = 0
    """0 while there is none."""
    told: int = -1
    """File descriptor of what it tells."""
    began: float = 0.0
    due: float = 0.0
    """When it is to be started again, in seconds of the monotonic clock."""
    pause: float = FIRST_PAUSE
    ready: bool = False
    idle: bool = False


class Family:
    def __init__(
        self, settings: EndpointSettings, listener: socket.socket, idle_seconds: float = 0.0
    ) -> None:
        """`idle_seconds`: it ends when there was nothing to score for so long; 0: never.

        Raises FreeholdError if what is to be served does not verify.
        """
        self._settings, self._listener, self._idle_seconds = settings, listener, idle_seconds
        self._runtime, self._signing = model_runtime(settings.runtime), model_signing()
        key = PublicKey(read(settings.folder / KEY))
        self.identity = Identity(key.fingerprint, str(settings.folder.resolve()))
        batching = Batching(settings.batch_delay)
        loader = Loader(settings.folder, key, self._runtime, self._signing, batching)
        self._shared: LoadedTable | None = loader.load_to_share()
        places = range(settings.processes)
        self._doors = [bound(HOST, 0) for _ in places]
        self._members = [_Member(place) for place in places]
        self._is_told = False
        self._parent, self._held = os.pipe()
        """Its reader sees an end when this process has ended, in whatever way."""

    def run(self, on_ready: Callable[[], None], until: Sequence[int], wakes: int) -> None:
        """Until told to stop by a signal, `until` one of these file descriptors ends, or all are
        idle. `wakes`: a file descriptor that signals write to.

        Raises Failed with what a process said that could not begin to answer.
        """
        gc.collect()
        gc.freeze()
        for member in self._members:
            self._start(member)
        is_ready = False
        try:
            while not self._is_told:
                self._wait([*until, wakes], wakes)
                if not is_ready and all(member.ready for member in self._members):
                    is_ready = True
                    on_ready()
                if self._idle_seconds and all(one.idle for one in self._members):
                    break
        except BaseException:
            self._stop()
            raise
        codes = self._stop()
        if any(codes):
            raise Failed(
                "the endpoint did not stop as it should",
                why=f"its processes ended with {codes}; rows of their logs may be lost",
                code="endpoint.not-stopped",
            )

    def tell(self) -> None:
        """To stop. For a signal's handler."""
        self._is_told = True

    def _wait(self, ends: Sequence[int], wakes: int) -> None:
        now = time.monotonic()
        for member in self._members:
            if not member.pid and member.due <= now:
                self._start(member)
        pauses = [member.due - now for member in self._members if not member.pid]
        told = {member.told: member for member in self._members if member.pid}
        found, _, _ = select.select([*told, *ends], [], [], min([1.0, *pauses]))
        for descriptor in found:
            if descriptor in told:
                self._heard(told[descriptor])
            elif not os.read(descriptor, 4096) and descriptor != wakes:
                self._is_told = True

    def _heard(self, member: _Member) -> None:
        data = os.read(member.told, 65536)
        for line in data.splitlines():
            said = json.loads(line)
            if "error" in said:
                raise not_started(said, "the endpoint did not start")
            member.ready = member.ready or "ready" in said
            member.idle = said.get("idle", member.idle)
        if not data:
            self._ended(member)

    def _ended(self, member: _Member) -> None:
        """Raises Failed if it never was ready: what is served is not fit to be."""
        os.close(member.told)
        _, status = os.waitpid(member.pid, 0)
        member.pid = 0
        if not member.ready:
            code = os.waitstatus_to_exitcode(status)
            raise not_started({}, f"its process ended with {code}")
        now = time.monotonic()
        lasted = now - member.began >= LASTED
        member.pause = FIRST_PAUSE if lasted else min(2 * member.pause, LONGEST_PAUSE)
        member.due, member.idle = now + (0.0 if lasted else member.pause), False

    def _start(self, member: _Member) -> None:
        reading, writing = os.pipe()
        member.pid, member.began = os.fork(), time.monotonic()
        if member.pid == 0:
            os.close(reading)
            os.close(self._held)
            self._be(member, writing)
        os.close(writing)
        member.told = reading

    def _be(self, member: _Member, writing: int) -> NoReturn:
        """The process's whole life."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for other in self._members:
                if other is not member and other.pid:
                    os.close(other.told)
            code = self._answer(member, lambda **said: _say(writing, said))
        except FreeholdError as exc:
            # One that answered before is started again until it can: others go on.
            _say(writing, {"ready": True} if member.ready else exc.as_json())
            code = exc.exit_code
        except BaseException as exc:  # noqa: BLE001 - nothing of the parent may run here
            sys.excepthook(type(exc), exc, exc.__traceback__)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _answer(self, member: _Member, say: Callable[..., None]) -> int:
        kin = Kin(member.place, [url_of(door) for door in self._doors])
        endpoint = Endpoint(
            self._settings, self._runtime, self._signing, wall_clock, kin, self._shared
        )
        be_quick()
        idle = None
        if self._idle_seconds:
            idle = Idle(self._idle_seconds, lambda is_idle: say(idle=is_idle))
        with ExitStack() as stack:
            stack.callback(endpoint.close)
            server = stack.enter_context(until_told(server_of(endpoint)))
            _stop_with(self._parent, server.stop)
            server.run(
                self._listener,
                self._doors[member.place],
                on_started=lambda: say(ready=True),
                idle=idle,
            )
        return 0

    def _stop(self) -> list[int]:
        """All end what is under way. Returns their exit codes."""
        living = [member for member in self._members if member.pid]
        for member in living:
            os.kill(member.pid, signal.SIGTERM)
        until, codes = time.monotonic() + _STOPPED, []
        while living:
            for member in list(living):
                pid, status = os.waitpid(member.pid, os.WNOHANG)
                if pid:
                    codes.append(os.waitstatus_to_exitcode(status))
                    os.close(member.told)
                    living.remove(member)
            if living and time.monotonic() > until:
                for member in living:
                    os.kill(member.pid, signal.SIGKILL)
            time.sleep(0.01)
        for door in self._doors:
            door.close()
        os.close(self._parent)
        os.close(self._held)
        return codes


def serve_family(
    settings: EndpointSettings,
    listener: socket.socket,
    on_ready: Callable[[str], None],
    on_loaded: Callable[[Identity], None],
    on_grpc: Callable[[str], None],
    idle_seconds: float = 0.0,
    until: Sequence[int] = (),
) -> None:
    """Answers by `settings.processes` until SIGTERM or SIGINT, an end of `until`, or idleness. For
    the main thread of a process that has no other. Raises as `serve`."""
    with ExitStack() as stack:
        if settings.grpc_port is not None:
            check_grpc(settings)
            held = stack.enter_context(_held(settings.host, settings.grpc_port))
            settings = replace(settings, grpc_port=held.getsockname()[1])
            on_grpc(url_of(held).removeprefix("http://"))
        family = Family(settings, listener, idle_seconds)
        on_loaded(family.identity)
        _run(family, lambda: on_ready(url_of(listener)), until)


def _held(host: str, port: int) -> socket.socket:
    """Keeps a port for processes that each listen at it: gRPC has no way to be given a socket."""
    held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((host, port))
    return held


def _run(family: Family, on_ready: Callable[[], None], until: Sequence[int]) -> None:
    wakes, woken = os.pipe()
    os.set_blocking(woken, False)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        family.tell()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before: dict[int, Any] = {number: signal.signal(number, stop) for number in numbers}
    signal.set_wakeup_fd(woken)
    try:
        family.run(on_ready, until, wakes)
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wakes)
        os.close(woken)


def _say(writing: int, said: dict[str, Any]) -> None:
    os.write(writing, json.dumps(said).encode() + b"\n")


def _stop_with(parent: int, stop: Callable[[], None]) -> None:
    """When the first process has ended."""

    def watch() -> None:
        os.read(parent, 1)
        stop()

    Thread(target=watch, name="parent watcher", daemon=True).start()
