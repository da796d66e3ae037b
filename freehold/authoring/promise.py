"""What a step gives while its pipeline is traced: the place of a value that is not there yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from freehold.authoring.source import line_of
from freehold.domain.candidate import Candidate
from freehold.domain.errors import Fault, PipelineInvalid
from freehold.domain.graph import Reference


@dataclass(frozen=True, eq=False)
class Promise:
    """Of one output of a step, or of all when the step returns a tuple."""

    node: str
    outputs: tuple[int, ...]

    def __iter__(self) -> Iterator["Promise"]:
        if len(self.outputs) == 1:
            self._refuse("unpacked")
        return iter([Promise(self.node, (output,)) for output in self.outputs])

    def __bool__(self) -> bool:
        return bool(self._refuse("tested"))

    def __getitem__(self, key: Any) -> "Promise":
        if len(self.outputs) == 1 or not isinstance(key, int):
            self._refuse("indexed")
        return Promise(self.node, (self.outputs[key],))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"asked for .{name}")

    def _refuse(self, verb: str) -> Any:
        raise PipelineInvalid(
            f"the result of step '{self.node}' is {verb} while the pipeline is traced",
            why="steps run later; a pipeline may only pass their results to other steps",
            hint="do this in a step",
            faults=[Fault("pipeline.promise", f"result of '{self.node}' {verb}", line_of(2))],
            code="pipeline.promise",
        )


def referred(value: Any) -> Any:
    """The same tree with promises as references, for a graph."""
    if isinstance(value, Promise):
        if len(value.outputs) == 1:
            return Reference(value.node, value.outputs[0])
        return tuple(Reference(value.node, output) for output in value.outputs)
    if isinstance(value, Candidate):
        changed = {one.name: referred(getattr(value, one.name)) for one in fields(value)}
        return replace(value, **changed)
    if isinstance(value, Mapping):
        return {key: referred(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(referred, value))
    if isinstance(value, list):
        return list(map(referred, value))
    return value
