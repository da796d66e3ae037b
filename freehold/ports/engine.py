"""Somewhere to run steps.

An engine needs only a way to start a process: `freehold step ADDRESS`, where the address is that
of a run manifest in the artifact store, takes inputs from the store, leaves outputs and a result
there. An engine in this process calls `Task.perform` and spares the detour.

Laws
- `submit` returns at once. A task runs at most once, in its own thread or process.
- The future gives the task's Result; that a step failed is a Result, not an exception.
- The future raises a FreeholdError when the engine or the store failed: AdapterFailed
  `engine.lost` if the process died without leaving a result.
- Up to `width` tasks run at the same time.
- `close` lets running threads end, kills processes, and waits for both.
"""

from abc import ABC, abstractmethod
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from freehold.domain.run import Result


class Task(ABC):
    """One attempt of a step."""

    name: str
    timeout: float | None
    """Seconds; honoured by engines that are `Kills`."""

    @abstractmethod
    def perform(self) -> Result:
        """Run it here."""

    @abstractmethod
    def publish(self) -> str:
        """Store the manifest; returns its address for `freehold step`."""

    @abstractmethod
    def collect(self) -> Result:
        """What the process left. Raises KeyError if it left nothing."""


@dataclass(frozen=True)
class EngineSettings:
    """What every engine is opened with; each takes what it needs."""

    folder: Path
    """The project's."""
    command: tuple[str, ...] = ()
    """Runs a step when a manifest's address is put behind it."""
    width: int | None = None
    """None: as many as there are processors."""


class Engine(ABC):
    @classmethod
    @abstractmethod
    def open(cls, settings: EngineSettings) -> "Engine": ...

    @property
    @abstractmethod
    def width(self) -> int:
        """How many tasks run at the same time."""

    @abstractmethod
    def submit(self, task: Task) -> Future[Result]: ...

    @abstractmethod
    def close(self) -> None: ...


class Kills(ABC):  # noqa: B024 - a mark: the ability changes no signature
    """An engine that ends a task whose timeout has passed, and all its processes, and then gives
    a Result with Failure `step.timeout`."""
