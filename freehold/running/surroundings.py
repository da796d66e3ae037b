"""The world that a run works in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from freehold.domain.artifact import Artifact
from freehold.domain.errors import NotSupported
from freehold.domain.graph import Node
from freehold.domain.run import Progress
from freehold.ports.clock import Clock
from freehold.ports.engine import Engine, Kills
from freehold.ports.ledger import Ledger
from freehold.ports.locks import Locks
from freehold.ports.object_store import ObjectStore
from freehold.running.codecs import Codecs

Observer = Callable[[Progress], None]
Gate = Callable[[Node, tuple[Artifact, ...]], None]
"""Looks at a step's outputs, cached or new, before anything uses them; raises to stop the run."""


class Attachments(Protocol):
    def put(self, data: bytes) -> str:
        """The name by which a fact refers to it."""


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
