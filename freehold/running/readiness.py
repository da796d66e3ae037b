"""A step whose inputs are there: its key, its labels, and whether its outputs are too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.domain.artifact import Artifact
from freehold.domain.graph import Graph, Node, Reference, substitute
from freehold.domain.labels import inherited, lowered
from freehold.domain.projection import State
from freehold.ports.artifact_store import ArtifactStore
from freehold.running.cache_key import CacheKey, cache_key
from freehold.running.code import Code


@dataclass(frozen=True)
class Options:
    """What the project and the command line say about a run."""

    sources: Mapping[str, bytes] = field(default_factory=dict)
    """Every module of the project: dotted name → bytes."""
    environment: str = ""
    """Digest of the environment's lock file."""
    cache: bool = True
    """False makes every step run, whatever was made before."""
    actor: str = "system"
    cause: tuple[str, ...] = ()
    """Names of the facts that the run follows from, such as an approved proposal."""


@dataclass(frozen=True)
class Ready:
    node: Node
    key: CacheKey
    inputs: Mapping[Reference, Artifact]
    labels: Mapping[str, str]
    """Of its outputs: those of its inputs and the step's own, less those that it lowers. That a
    policy consents is asked before anything runs."""
    cacheable: bool


class Desk:
    """Makes steps ready and looks for what was made before."""

    def __init__(
        self, graph: Graph, options: Options, state: State, artifacts: ArtifactStore
    ) -> None:
        self.graph, self.options, self.state = graph, options, state
        self.code = Code(options.sources)
        self._artifacts = artifacts

    def ready(self, node: Node, outputs: Mapping[str, tuple[Artifact, ...]]) -> Ready:
        """`outputs` by node: all that it depends on."""
        inputs = {found: outputs[found.node][found.output] for _, found in node.references()}
        arguments = {
            name: substitute(argument, inputs.__getitem__)
            for name, argument in node.arguments.items()
        }
        return Ready(
            node,
            self.key(node, arguments),
            inputs,
            lowered(
                inherited([*(one.labels for one in inputs.values()), node.step.labels]),
                node.step.lowers,
            ),
            node.step.cache and self.options.cache,
        )

    def key(self, node: Node, arguments: Mapping[str, Any]) -> CacheKey:
        return cache_key(
            node.step.address,
            arguments,
            environment=self.options.environment,
            code=self.code.digest(node.step.module),
        )

    def modules(self, node: Node) -> tuple[str, ...]:
        """Those of the project that the step reaches."""
        return self.code.reached(node.step.module) or (node.step.module,)

    def made_before(self, ready: Ready) -> tuple[Artifact, ...] | None:
        """Outputs from the cache, if it may be used and every byte of them verifies."""
        row = self.state.get("cache", ready.key.digest) if ready.cacheable else None
        return None if row is None else self.believed(row, ready)

    def believed(self, row: Mapping[str, Any], ready: Ready) -> tuple[Artifact, ...] | None:
        """A recorded step's outputs if every byte verifies, with the labels of today's inputs."""
        if not all(self._artifacts.holds(one["digest"]) for one in row["outputs"]):
            return None
        return self.labelled(row, ready)

    def labelled(self, row: Mapping[str, Any], ready: Ready) -> tuple[Artifact, ...]:
        """A recorded step's outputs, wherever they lie, with the labels of today's inputs."""
        return tuple(
            Artifact(one["digest"], one["format"], one["size"], ready.labels)
            for one in row["outputs"]
        )


def input_digests(ready: Ready) -> list[str]:
    """Of all inputs, each once, sorted: for lineage."""
    return sorted({artifact.digest for artifact in ready.inputs.values()})
