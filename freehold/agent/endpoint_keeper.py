"""Keeps an endpoint's process up."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from freehold.agent.events import Event, Tell
from freehold.app.loop.status import ADDRESS
from freehold.domain.errors import FreeholdError

SHORTEST, LONGEST = 1.0, 300.0
"""Seconds between two attempts to start it: doubled each time."""
STEADY = 60.0
"""Seconds of life after which the next death counts as the first."""


class RunningEndpoint(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def grpc(self) -> str | None:
        """Its address, where it answers by gRPC too."""

    @property
    def is_alive(self) -> bool: ...

    def stop(self) -> None:
        """Raises FreeholdError if it did not stop as it should."""


StartEndpoint = Callable[[Path], RunningEndpoint]
"""Given the serving folder, returns when it answers. Raises FreeholdError if it does not."""


class EndpointKeeper:
    def __init__(
        self, serving: Path, start: StartEndpoint, tell: Tell, now: Callable[[], float]
    ) -> None:
        """`now` in seconds, monotonic."""
        self._serving, self._start, self._tell, self._now = serving, start, tell, now
        self._running: RunningEndpoint | None = None
        self._pause, self._started, self._not_before = SHORTEST, 0.0, 0.0

    def keep(self) -> None:
        """Starts it if it is down and its time has come. Raises what starting raises."""
        now = self._now()
        if self._running is not None:
            if self._running.is_alive:
                return
            self._forget()
            if now - self._started > STEADY:
                self._pause = SHORTEST
            self._tell(Event("endpoint.died", "the endpoint died; it is started again"))
            self._wait(now)
        if now < self._not_before:
            return
        try:
            self._running = self._start(self._serving)
        except FreeholdError:
            self._wait(now)
            raise
        self._started = now
        url = self._running.url
        (self._serving / ADDRESS).write_text(_address(url))
        grpc = self._running.grpc
        beside = f", and by gRPC at {grpc}" if grpc else ""
        told = {"grpc": grpc, "url": url}
        self._tell(Event("endpoint.started", f"serving at {url}{beside}", told))

    def stop(self) -> None:
        if self._running is None:
            return
        try:
            self._running.stop()
        except FreeholdError as error:
            self._tell(Event("endpoint.not-stopped", str(error), error.as_json()))
        finally:
            self._forget()

    def _wait(self, now: float) -> None:
        self._not_before = now + self._pause
        self._pause = min(2 * self._pause, LONGEST)

    def _forget(self) -> None:
        """What another endpoint wrote there stays."""
        told = self._serving / ADDRESS
        if self._running is not None:
            with suppress(FileNotFoundError):
                if told.read_text() == _address(self._running.url):
                    told.unlink()
        self._running = None


def _address(url: str) -> str:
    return json.dumps({"url": url})
