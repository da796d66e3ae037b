"""A world in memory for runs."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from freehold.adapters.documents.codec import JsonCodec
from freehold.adapters.files.codec import FileCodec
from freehold.adapters.inline.engine import InlineEngine
from freehold.adapters.memory.ledger import MemoryLedger
from freehold.adapters.memory.locks import MemoryLocks
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.adapters.polars.codec import PolarsCodec
from freehold.domain.fact import Fact
from freehold.domain.graph import Graph
from freehold.domain.run import Progress, RunOutcome
from freehold.ports.artifact_store import ArtifactStore
from freehold.ports.attachment_store import AttachmentStore
from freehold.ports.contracts.signer import TransientSigner
from freehold.running.codecs import Codecs
from freehold.running.execution import execute, resume
from freehold.running.projection import projection
from freehold.running.readiness import Options
from freehold.running.surroundings import Gate, Surroundings

CODECS: dict[str, Any] = {"builtins": JsonCodec, "pathlib": FileCodec, "polars": PolarsCodec}


@dataclass
class Stage:
    """Runs graphs and remembers what was seen."""

    world: Surroundings
    options: Options = field(default_factory=Options)
    seen: list[Progress] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def run(self, graph: Graph, gate: Gate | None = None, **options: Any) -> RunOutcome:
        return execute(
            graph,
            self.world,
            replace(self.options, **options),
            observer=self.seen.append,
            gate=gate,
        )

    def resume(self, run: str, graph: Graph, **options: Any) -> RunOutcome:
        return resume(
            run, graph, self.world, replace(self.options, **options), observer=self.seen.append
        )

    def facts(self, kind: str = "") -> list[Fact]:
        ledger = self.world.ledger
        return [entry for entry in _parsed(ledger.lines()) if kind in ("", entry.type)]

    @property
    def artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.world.objects)


def _parsed(lines: Iterator[tuple[int, bytes]]) -> Iterator[Fact]:
    for _, line in lines:
        yield Fact.from_json(json.loads(line))


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    engines: list[InlineEngine] = []

    def make(**changes: Any) -> Stage:
        ticks = count(1_800_000_000_000_000, 1000)
        engine = InlineEngine(changes.pop("width", 4))
        engines.append(engine)
        objects = changes.pop("objects", None) or MemoryObjectStore()
        slept: list[float] = []
        world = Surroundings(
            ledger=MemoryLedger(
                writer="w",
                signer=TransientSigner(),
                clock=lambda: next(ticks),
                projections=[projection],
            ),
            objects=objects,
            attachments=AttachmentStore(objects, bytes),
            locks=MemoryLocks(),
            codecs=Codecs(CODECS, CODECS.__getitem__),
            clock=lambda: next(ticks),
            sleep=slept.append,
            workspace=tmp_path,
            engine=engine,
        )
        return Stage(replace(world, **changes), slept=slept)

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()
