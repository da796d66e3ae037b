"""The world that a run works in."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from freehold.domain.artifact import Artifact
from freehold.domain.errors import NotSupported
from freehold.domain.graph import Node
from freehold.domain.placement import Place
from freehold.domain.run import Progress, Result
from freehold.ports.clock import Clock
from freehold.ports.engine import Engine, Kills
from freehold.ports.ledger import Ledger
from freehold.ports.locks import Locks
from freehold.ports.object_store import ObjectStore
from freehold.running.checkpoints import Keeping
from freehold.running.codecs import Codecs
from freehold.running.readiness import Ready

Observer = Callable[[Progress], None]
Gate = Callable[[Node, tuple[Artifact, ...]], None]
"""Looks at a step's outputs, cached or new, before anything uses them; raises to stop the run."""


class Attachments(Protocol):
    def put(self, data: bytes) -> str:
        """The name by which a fact refers to it."""


@dataclass(frozen=True)
class Attempt:
    """One attempt of a step, as another site is asked for it."""

    run: str
    ready: Ready
    number: int
    """As retries are counted, from 1."""
    ordinal: int
    """1 + how many attempts of it have ended in this run: the same again after a resumption."""
    place: Place
    manifest: Mapping[str, Any]


class OtherSites(ABC):
    """The other sites, as a run sees them.

    Laws
    - `ask` and `bring` return at once. What was asked is not asked again when the same attempt is.
    - `ask` gives the step's Result; that a rule forbids it, and that its machine was taken away, is
      a Failure in it.
    - Outputs that this site needs are here when `ask` has answered.
    """

    @abstractmethod
    def ask(self, attempt: Attempt) -> Future[Result]: ...

    @abstractmethod
    def bring(self, artifacts: Collection[Artifact], step: str) -> Future[Result]:
        """To this site, for a step; gives an empty Result, or a Failure where a rule forbids it."""

    @abstractmethod
    def look_for(self, digests: Collection[str]) -> None:
        """Bring what can be had now; what cannot is not waited for."""

    @abstractmethod
    def replace(self, attempt: Attempt) -> Place:
        """Where a step goes on whose machine at the attempt's place was taken away."""

    @abstractmethod
    def asked_before(self, run: str) -> Mapping[str, tuple[str, Place]]:
        """Step → the digest of its cache key, and where it was asked for: attempts that are under
        way, or have ended and were not recorded, since the run was interrupted."""

    @abstractmethod
    def needs_here(self, step: str) -> bool:
        """Whether the step's outputs are read at this site."""


@dataclass(frozen=True)
class Surroundings:
    ledger: Ledger
    objects: ObjectStore
    attachments: Attachments
    locks: Locks
    codecs: Codecs
    clock: Clock
    sleep: Callable[[float], None]
    """Waits so many seconds."""
    workspace: Path
    """A folder for steps' files, there as long as the run."""
    engine: Engine
    processes: Engine | None = None
    """Runs steps that have a timeout, if `engine` cannot kill."""
    here: str = ""
    """The name of the site."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Step → where it runs; what is not named runs here."""
    others: OtherSites | None = None
    """None where the project has one site."""
    keeping: Keeping | None = None
    """Lends checkpoints to the user's code."""

    def place_of(self, step: str) -> Place:
        """Here, where there are no other sites."""
        place = self.places.get(step, Place(self.here))
        return place if self.others is not None else Place(self.here, place.machine, place.spot)

    def engine_for(self, node: Node) -> Engine:
        """Raises NotSupported `engine.no-timeout`."""
        if node.step.timeout is None or isinstance(self.engine, Kills):
            return self.engine
        if self.processes is None or not isinstance(self.processes, Kills):
            raise NotSupported(
                f"step '{node.name}' has a timeout, and no engine here can end a step",
                hint="name an engine that can in freehold.yaml, or drop the timeout",
                code="engine.no-timeout",
            )
        return self.processes
