"""Several processes that answer at one port, and one that starts them anew when they end.

The first process listens, loads what may be shared, and forks the others, which share that memory.
It answers nothing itself and starts no thread, so that it can fork at any time. When a release
brings another model it loads that once, and forks others again: each takes the place of one, which
listens no more and ends with its connections. Where the models cannot be shared, or too many that
were replaced last, each process loads what is released itself.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
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
from freehold.endpoint.listening import GRACE, HOST, address_of, bound, url_of
from freehold.endpoint.loading import KEY, LoadedTable, Loader, read, stamp_of
from freehold.endpoint.member import ALONE, DOZE, LASTING, RETIRE, ROUSE, STOP, Bidding, Member, say
from freehold.endpoint.process import (
    be_quick,
    check_grpc,
    server_of,
    until_told,
    wall_clock,
)
from freehold.endpoint.server import Server
from freehold.endpoint.settings import EndpointSettings
from freehold.endpoint.watcher import INTERVAL
from freehold.serving.response import Identity

_STOPPED = 15 + GRACE


class Family:
    def __init__(
        self,
        settings: EndpointSettings,
        listener: socket.socket,
        idle_seconds: float = 0.0,
        grpc_listener: socket.socket | None = None,
    ) -> None:
        """`idle_seconds`: it ends when there was nothing to score for so long; 0: never.
        `grpc_listener`: a socket that listens already.

        Raises FreeholdError if what is to be served does not verify.
        """
        self._settings, self._listener, self._idle_seconds = settings, listener, idle_seconds
        self._grpc_listener = grpc_listener
        self._runtime, self._signing = model_runtime(settings.runtime), model_signing()
        key = PublicKey(read(settings.folder / KEY))
        self.identity = Identity(key.fingerprint, str(settings.folder.resolve()))
        batching = Batching(settings.batch_delay)
        self._loader = Loader(settings.folder, key, self._runtime, self._signing, batching)
        self._seen = stamp_of(settings.folder)
        self._shared: LoadedTable | None = self._loader.load_to_share(None)
        self._renews = self._shared is not None
        places = range(settings.processes)
        self._doors = [bound(HOST, 0) for _ in places]
        self._members = [Member(place) for place in places]
        self._coming: list[Member] = []
        """Each takes the place of one as soon as it answers."""
        self._leaving: list[Member] = []
        """Whose place was taken. Streams that are open by gRPC may have some of them last."""
        self._is_told = self._dozes = self._is_apart = False
        """The last: whether they have loaded by themselves what is not in `_shared`."""

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
                if self._idle_seconds and self._may_sleep():
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

    def _may_sleep(self) -> bool:
        """Once none has anything to score, all are to let their callers by gRPC go; if one is asked
        before they have, all let them in again."""
        is_settled = not (self._coming or self._leaving)
        dozes = is_settled and all(one.idle for one in self._members)
        if dozes != self._dozes:
            self._dozes = dozes
            for member in self._members:
                member.left = False
                member.bid(DOZE if dozes else ROUSE)
        return dozes and all(one.left for one in self._members)

    def _wait(self, ends: Sequence[int], wakes: int) -> None:
        now = time.monotonic()
        for member in self._members:
            if not member.pid and member.due <= now:
                self._start(member)
        if self._renews:
            self._look()
        pauses = [member.due - now for member in self._members if not member.pid]
        told = {member.told: member for member in self._living()}
        longest = INTERVAL if self._renews else 1.0
        found, _, _ = select.select([*told, *ends], [], [], min([longest, *pauses]))
        for descriptor in found:
            if descriptor in told:
                self._heard(told[descriptor])
            elif not os.read(descriptor, 4096) and descriptor != wakes:
                self._is_told = True

    def _heard(self, member: Member) -> None:
        data = os.read(member.told, 65536)
        for line in data.splitlines():
            said = json.loads(line)
            if "error" in said and member in self._members:
                raise not_started(said, "the endpoint did not start")
            member.ready = member.ready or "ready" in said
            member.idle = said.get("idle", member.idle)
            member.left = said.get("left", member.left)
            if member.ready and member in self._coming:
                self._succeed(member)
        if not data:
            self._ended(member)

    def _look(self) -> None:
        """What was released since is loaded once, if that brings a model."""
        stamp = stamp_of(self._settings.folder)
        if stamp == self._seen:
            return
        self._seen = stamp
        before = () if self._shared is None or self._is_apart else self._shared.digests
        try:
            found = None if self._too_many_last else self._loader.load_to_share(self._shared)
        except Exception:  # noqa: BLE001 (who answers refuses it for the same reason, and says so)
            found = None
        if found is None:
            self._is_apart = True
            for member in (*self._members, *self._coming):
                member.bid(ALONE)
            return
        self._shared = found
        if set(found.digests) <= set(before):
            return
        self._is_apart = False
        gc.collect()
        gc.freeze()
        for one in self._coming:
            self._let_go(one)
        self._coming = [Member(member.place) for member in self._members if member.pid]
        for member in self._coming:
            self._start(member)

    def _succeed(self, member: Member) -> None:
        self._coming.remove(member)
        before, self._members[member.place] = self._members[member.place], member
        if before.pid:
            self._let_go(before)

    def _let_go(self, member: Member) -> None:
        member.retire(time.monotonic())
        self._leaving.append(member)

    @property
    def _too_many_last(self) -> bool:
        """Whether no more are to be replaced: of those that were, as many as answer have stayed."""
        now = time.monotonic()
        return sum(one.lasts(now) for one in self._leaving) >= self._settings.processes

    def _living(self) -> Iterator[Member]:
        return (one for one in (*self._members, *self._coming, *self._leaving) if one.pid)

    def _ended(self, member: Member) -> None:
        """Raises Failed if it never was ready: what is served is not fit to be."""
        _, status = os.waitpid(member.pid, 0)
        member.close()
        if member in self._leaving:
            self._leaving.remove(member)
        elif member in self._coming:
            self._coming.remove(member)
            self._members[member.place].bid(ALONE)
        elif not member.ready:
            code = os.waitstatus_to_exitcode(status)
            raise not_started({}, f"its process ended with {code}")
        else:
            member.ended(time.monotonic())

    def _start(self, member: Member) -> None:
        reading, writing = os.pipe()
        listening, bidding = os.pipe()
        living = list(self._living())
        pid = os.fork()
        if pid == 0:
            for descriptor in (reading, bidding):
                os.close(descriptor)
            for other in living:
                other.close()
            self._be(member, Bidding(listening, self._is_apart), writing)
        os.close(writing)
        os.close(listening)
        member.pid, member.began = pid, time.monotonic()
        member.told, member.bids = reading, bidding

    def _be(self, member: Member, bidding: Bidding, writing: int) -> NoReturn:
        """The process's whole life."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            code = self._answer(member, bidding, lambda **said: say(writing, said))
        except FreeholdError as exc:
            # One that answered before is started again until it can: others go on.
            say(writing, {"ready": True} if member.ready else exc.as_json())
            code = exc.exit_code
        except BaseException as exc:  # noqa: BLE001 - nothing of the parent may run here
            sys.excepthook(type(exc), exc, exc.__traceback__)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _answer(self, member: Member, bidding: Bidding, say: Callable[..., None]) -> int:
        kin = Kin(member.place, [url_of(door) for door in self._doors])
        endpoint = Endpoint(
            self._settings,
            self._runtime,
            self._signing,
            wall_clock,
            kin,
            self._shared,
            bidding.waits if self._renews else lambda: False,
        )
        be_quick()
        idle = None
        if self._idle_seconds:
            idle = Idle(self._idle_seconds, lambda is_idle: say(idle=is_idle))
        with ExitStack() as stack:
            stack.callback(endpoint.close)
            server = stack.enter_context(until_told(server_of(endpoint, self._grpc_listener)))
            endpoint.warm()
            biddings: dict[bytes, Callable[[], None]] = {
                RETIRE: partial(_retire, server, endpoint),
                DOZE: partial(server.doze, lambda: say(left=True)),
                ROUSE: server.rouse,
                STOP: server.stop,
            }
            bidding.obey(biddings, server.stop)
            server.run(
                self._listener,
                self._doors[member.place],
                on_started=lambda: say(ready=True),
                idle=idle,
            )
        return 0

    def _stop(self) -> list[int]:
        """All end what is under way. Returns their exit codes."""
        living = list(self._living())
        for member in living:
            os.kill(member.pid, signal.SIGTERM)
            # A signal says nothing to one that was just forked, or does not answer yet.
            member.bid(STOP)
        until, codes = time.monotonic() + _STOPPED, []
        while living:
            for member in list(living):
                pid, status = os.waitpid(member.pid, os.WNOHANG)
                if pid:
                    codes.append(os.waitstatus_to_exitcode(status))
                    member.close()
                    living.remove(member)
            if living and time.monotonic() > until:
                for member in living:
                    os.kill(member.pid, signal.SIGKILL)
            time.sleep(0.01)
        for door in self._doors:
            door.close()
        return codes


def serve_family(
    settings: EndpointSettings,
    listener: socket.socket,
    on_ready: Callable[[str], None],
    on_loaded: Callable[[Identity], None],
    on_grpc: Callable[[str], None],
    idle_seconds: float = 0.0,
    until: Sequence[int] = (),
    grpc_listener: socket.socket | None = None,
) -> None:
    """Answers by `settings.processes` until SIGTERM or SIGINT, an end of `until`, or idleness. For
    the main thread of a process that has no other. Raises as `serve`."""
    with ExitStack() as stack:
        check_grpc(settings, grpc_listener)
        if settings.grpc_port is not None:
            grpc_listener = grpc_listener or stack.enter_context(
                bound(settings.host, settings.grpc_port, "--grpc-port")
            )
            on_grpc(address_of(grpc_listener))
        family = Family(settings, listener, idle_seconds, grpc_listener)
        on_loaded(family.identity)
        _run(family, lambda: on_ready(url_of(listener)), until)


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


def _retire(server: Server, endpoint: Endpoint) -> None:
    server.retire()
    endpoint.retire(LASTING)
