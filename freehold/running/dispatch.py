"""What is sent out for one attempt of a step: to an engine here, or to another site."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from freehold.domain.artifact import object_key
from freehold.domain.errors import StorageFailed, Unreachable
from freehold.domain.graph import Graph
from freehold.domain.labels import inherited
from freehold.domain.placement import Place
from freehold.ports.artifact_store import ArtifactStore
from freehold.running.checkpoints import newest_first, record_notes, starting_point
from freehold.running.projection import attempts_ended
from freehold.running.readiness import Desk, Ready
from freehold.running.record import Facts
from freehold.running.surroundings import Attempt, Surroundings
from freehold.running.work import StepTask, Workplace, manifest_of


class Dispatch:
    def __init__(self, graph: Graph, world: Surroundings, desk: Desk, facts: Facts) -> None:
        self._world, self._desk, self._facts = world, desk, facts
        self._makers = {node.name: node.step for node in graph.nodes}
        steps = {node.step.address: node.step for node in graph.nodes}
        self.workplace = Workplace(
            world.objects,
            world.codecs,
            world.clock,
            world.workspace,
            steps.__getitem__,
            world.keeping,
        )

    def task(self, ready: Ready, number: int) -> StepTask:
        """For an engine of this site; a step that resumes begins at its newest checkpoint."""
        manifest = self._manifest(ready, number)
        if ready.node.step.resumes:
            manifest["resumes"] |= self._starting_point(ready)
        return StepTask(ready.node.name, ready.node.step.timeout, manifest, self.workplace)

    def attempt(self, ready: Ready, number: int, place: Place) -> Attempt:
        """For another site. Where a step begins that resumes is for that site to say."""
        run, name = self._facts.run, ready.node.name
        ordinal = 1 + attempts_ended(self._world.ledger.state, run, name)
        return Attempt(run, ready, number, ordinal, place, self._manifest(ready, number))

    def record_checkpoints(self) -> None:
        """A store that fails meanwhile fails no step: what was not recorded is tried again."""
        with suppress(StorageFailed, Unreachable):
            record_notes(self._world.ledger, self._world.objects, self._facts.actor)

    def _manifest(self, ready: Ready, number: int) -> dict[str, Any]:
        about: dict[str, Any] = {
            "attempt": number,
            "labels": dict(ready.labels),
            "modules": list(self._desk.modules(ready.node)),
            "run": self._facts.run,
            "started": self._world.clock(),
        }
        if ready.node.step.resumes:
            reads = inherited([*(one.labels for one in ready.inputs.values()), ready.labels])
            about["resumes"] = {"key": ready.key.digest, "labels": reads}
        inputs = {found: (one, self._makers[found.node]) for found, one in ready.inputs.items()}
        return manifest_of(ready.node, inputs, about)

    def _starting_point(self, ready: Ready) -> Mapping[str, Any]:
        world, run, step = self._world, self._facts.run, ready.node.name
        self.record_checkpoints()
        if world.others is not None:
            found = newest_first(world.ledger.state, run, step, ready.key.digest)
            digests = [one.digest for one in found]
            lacking = [one for one in digests if world.objects.size(object_key(one)) is None]
            if lacking:
                world.others.look_for(lacking)
        about = {"key": ready.key.digest, "run": run, "step": step}
        return starting_point(about, ArtifactStore(world.objects), world.ledger.state)
