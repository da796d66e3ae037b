"""Which codec stores a value: found by the module that its type comes from, when first needed."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from freehold.domain.artifact import Artifact
from freehold.domain.errors import AdapterMissing, Fault, PipelineInvalid
from freehold.domain.graph import Graph
from freehold.domain.stored_type import admits, describe, homes, members
from freehold.ports.codec import Codec

_OF_FORMAT = {"json": "builtins", "parquet": "polars", "file": "pathlib", "graph": "freehold"}
"""Who reads a format when no type says it; any other format is read by the codec of its name."""


class Codecs:
    def __init__(self, names: Collection[str], load: Callable[[str], Callable[[], Codec]]) -> None:
        """`names` of those that are installed; `load` gives a codec's class by its name."""
        self._names, self._load = frozenset(names), load
        self._loaded: dict[str, Codec] = {}

    def named(self, name: str) -> Codec:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)()
        return self._loaded[name]

    def for_value(self, kind: Any, value: Any) -> Codec:
        """The codec that writes `value`, declared as `kind`. Raises AdapterMissing."""
        fitting = [one for one in members(kind) if one is not Any and admits(one, value)]
        return self._for_type(fitting[0] if fitting else type(value))

    def for_artifact(self, artifact: Artifact, kind: Any) -> Codec:
        """The codec that reads an artifact as `kind`. Raises AdapterMissing."""
        stated = [one for one in members(kind) if one is not Any and one is not object]
        for one in stated:
            codec = self._for_type(one)
            if codec.format == artifact.format:
                return codec
        return self.named(_OF_FORMAT.get(artifact.format, artifact.format))

    def check(self, graph: Graph) -> None:
        """Raises PipelineInvalid naming every step whose output no codec can store."""
        faults = tuple(dict.fromkeys(self._faults(graph)))
        if faults:
            raise PipelineInvalid(
                f"pipeline '{graph.name}' has outputs that cannot be stored", faults=faults
            )

    def _faults(self, graph: Graph) -> Iterator[Fault]:
        for node in graph.nodes:
            for kind in node.step.returns:
                for one in members(kind):
                    if one is not Any and not self._known(homes(one)):
                        yield Fault(
                            "pipeline.unstorable",
                            f"step '{node.step.name}' returns {describe(one)}, "
                            "which no codec stores",
                            node.step.where,
                            f"there are codecs for {', '.join(sorted(self._names))}",
                        )

    def _for_type(self, kind: Any) -> Codec:
        for name in homes(kind):
            if name in self._names:
                return self.named(name)
        raise AdapterMissing(
            f"no codec stores values of type {describe(kind)}",
            why=f"there are codecs for {', '.join(sorted(self._names))}",
            hint="return plain values, a dataclass, a table, a path or a model",
            code="codec.missing",
        )

    def _known(self, names: Iterable[str]) -> bool:
        found = tuple(names)
        return not found or any(name in self._names for name in found)
