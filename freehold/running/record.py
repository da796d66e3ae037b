"""The facts of a run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from freehold.domain.artifact import Artifact
from freehold.domain.fact import Draft
from freehold.domain.graph import Graph
from freehold.domain.json_value import plain
from freehold.domain.projection import State
from freehold.domain.run import Failure
from freehold.ports.ledger import Ledger
from freehold.running.readiness import Options, Ready, input_digests


def start(ledger: Ledger, graph: Graph, options: Options, wall: int) -> tuple[str, str]:
    """Appends run.started. Returns the run's name, as `20261121-031415-9f3a`, and the fact's."""
    moment = datetime.fromtimestamp(wall // 1_000_000, UTC)
    lot = sha256(f"{ledger.writer} {wall}".encode()).hexdigest()[:4]
    wished = f"{moment:%Y%m%d-%H%M%S}-{lot}"
    name = wished

    def decision(state: State) -> list[Draft]:
        nonlocal name
        count = 1
        while state.get("runs", name) is not None:
            count += 1
            name = f"{wished}-{count}"
        body = {
            "environment": options.environment,
            "parameters": plain(graph.parameters),
            "pipeline": graph.name,
            "run": name,
            "steps": len(graph.nodes),
        }
        return [Draft("run.started", body, cause=options.cause, actor=options.actor)]

    (entry,) = ledger.decide(decision)
    return name, entry.fact.name


class Facts:
    """Drafts of what happens in one run; all follow from its start."""

    def __init__(self, run: str, cause: str, actor: str) -> None:
        self.run, self._cause, self._actor = run, (cause,), actor

    def resumed(self) -> Draft:
        return self._draft("run.resumed", {})

    def ended(self, status: str) -> Draft:
        return self._draft("run.finished", {"status": status})

    def finished(
        self, ready: Ready, outputs: tuple[Artifact, ...], microseconds: int, cached: bool
    ) -> Draft:
        body = {
            "cached": cached,
            "components": dict(ready.key.components),
            "function": ready.node.step.address,
            "inputs": input_digests(ready),
            "key": ready.key.digest,
            "microseconds": microseconds,
            "outputs": [output.as_json() for output in outputs],
            "step": ready.node.name,
        }
        return self._draft("step.finished", body)

    def failed(self, ready: Ready, failure: Failure, attempt: int, attachment: str) -> Draft:
        body = {
            "attachment": attachment,
            "attempt": attempt,
            "code": failure.code,
            "function": ready.node.step.address,
            "step": ready.node.name,
        }
        return self._draft("step.failed", body)

    def _draft(self, kind: str, body: Mapping[str, Any]) -> Draft:
        return Draft(kind, {**body, "run": self.run}, cause=self._cause, actor=self._actor)
