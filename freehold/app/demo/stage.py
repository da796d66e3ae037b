"""What a play needs of whoever shows it, and the period that it plays."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from freehold.app.drill.tamper import StartEndpoint
from freehold.app.loop.replay import Day
from freehold.app.site.opening import Site
from freehold.app.traffic.client import EndpointClient
from freehold.domain.run import Progress

MODEL = "flight-delay"
FIRST_DAY = date(2013, 4, 1)


@dataclass(frozen=True)
class Period:
    """The first model serves alone until `trials`; then the trials are made beside it."""

    trials: date
    end: date
    """Not included."""


WHOLE = Period(trials=date(2013, 5, 1), end=date(2014, 1, 1))
SHORT = Period(trials=date(2013, 4, 9), end=date(2013, 4, 29))


class Audience(Protocol):
    def command(self, line: str) -> None:
        """What a person would type to get what happens next."""

    def say(self, line: str) -> None:
        """What happened."""

    def step(self, told: Progress) -> None: ...

    def stage(self, name: str) -> None: ...

    def day(self, told: Day) -> None: ...


@dataclass(frozen=True)
class Hands:
    """What app may not start by itself."""

    endpoint: Callable[[Site], AbstractContextManager[EndpointClient]]
    """The project's endpoint, answering, for as long as the context lasts."""
    start: StartEndpoint
