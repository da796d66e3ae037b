"""A traced pipeline: calls of steps and what flows between them. Checked whole before it runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from operator import or_
from typing import Any

from freehold.domain.candidate import Candidate
from freehold.domain.errors import Fault, PipelineInvalid
from freehold.domain.json_value import plain
from freehold.domain.step import StepDefinition
from freehold.domain.stored_type import admits, describe, meets


@dataclass(frozen=True)
class Reference:
    """An output of another node, not there yet."""

    node: str
    output: int = 0


@dataclass(frozen=True)
class Node:
    """One call of a step."""

    name: str
    step: StepDefinition
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """By parameter: a Reference, a value, or lists and dictionaries of them."""
    where: str = ""
    """`file:line` of the call."""

    def references(self) -> Iterator[tuple[str, Reference]]:
        for name, argument in self.arguments.items():
            for found in references(argument):
                yield name, found


@dataclass(frozen=True)
class Graph:
    name: str
    nodes: tuple[Node, ...]
    result: Any = None
    """A Reference, a value, a Candidate, or tuples, lists and dictionaries of them."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The pipeline's own, as given for this run."""
    faults: tuple[Fault, ...] = ()
    """What was already wrong when it was traced."""

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def parents(self) -> dict[str, tuple[str, ...]]:
        """By node, the nodes that must finish before it."""
        by_step: dict[str, list[str]] = {}
        for node in self.nodes:
            by_step.setdefault(node.step.name, []).append(node.name)
        return {
            node.name: tuple(
                dict.fromkeys(
                    [found.node for _, found in node.references()]
                    + [name for step in node.step.after for name in by_step.get(step, ())]
                )
            )
            for node in self.nodes
        }

    def check(self) -> None:
        """Raises PipelineInvalid with everything that is wrong."""
        faults = self.all_faults()
        if faults:
            raise PipelineInvalid(
                f"pipeline '{self.name}' cannot run: {len(faults)} fault(s)", faults=faults
            )

    def all_faults(self) -> tuple[Fault, ...]:
        found = [*self.faults]
        for step in {node.step.address: node.step for node in self.nodes}.values():
            found += step.faults
        found += _duplicates(self.nodes)
        known = {node.name: node for node in self.nodes}
        for node in self.nodes:
            found += _argument_faults(node, known)
        found += _result_faults(self.result, known)
        found += _cycle_faults(self, known)
        return tuple(dict.fromkeys(found))


def references(value: Any) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)
    elif isinstance(value, Candidate):
        for one in fields(value):
            yield from references(getattr(value, one.name))


def substitute(value: Any, change: Callable[[Reference], Any]) -> Any:
    """The same tree with each reference replaced."""
    if isinstance(value, Reference):
        return change(value)
    if isinstance(value, Mapping):
        return {key: substitute(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, change) for item in value]
    if isinstance(value, tuple):
        return tuple(substitute(item, change) for item in value)
    if isinstance(value, Candidate):
        changed = {one.name: substitute(getattr(value, one.name), change) for one in fields(value)}
        return replace(value, **changed)
    return value


def _duplicates(nodes: Sequence[Node]) -> Iterator[Fault]:
    seen: dict[str, Node] = {}
    owners: dict[str, Node] = {}
    for node in nodes:
        if node.name in seen:
            yield Fault(
                "pipeline.duplicate-name",
                f"two nodes are named '{node.name}'",
                node.where,
                f"the other is at {seen[node.name].where}",
            )
        seen.setdefault(node.name, node)
        owner = owners.setdefault(node.step.name, node)
        if owner.step.address != node.step.address:
            yield Fault(
                "pipeline.duplicate-name",
                f"two steps are named '{node.step.name}': "
                f"{owner.step.address} and {node.step.address}",
                node.where,
                "rename one of the functions",
            )


def _argument_faults(node: Node, known: Mapping[str, Node]) -> Iterator[Fault]:
    for name, argument in node.arguments.items():
        parameter = node.step.parameter(name)
        if parameter is None:
            yield Fault(
                "pipeline.arguments",
                f"step '{node.step.name}' has no parameter '{name}'",
                node.where,
            )
            continue
        unknown = [found for found in references(argument) if not _exists(found, known)]
        for found in unknown:
            yield _unknown(found, node.where)
        if unknown:
            continue
        if any(True for _ in references(argument)):
            yield from _flow_faults(node, name, parameter.kind, argument, known)
        else:
            yield from _value_faults(node, name, parameter.kind, argument)


def _flow_faults(
    node: Node, name: str, kind: Any, argument: Any, known: Mapping[str, Node]
) -> Iterator[Fault]:
    given = _type_of(argument, known)
    if not meets(given, kind):
        sources = sorted({found.node for found in references(argument)})
        yield Fault(
            "pipeline.types",
            f"step '{node.name}' asks for {describe(kind)} as '{name}', but "
            f"{' and '.join(repr(source) for source in sources)} gives {describe(given)}",
            node.where,
            f"step '{node.step.name}' is defined at {node.step.where}",
        )


def _value_faults(node: Node, name: str, kind: Any, value: Any) -> Iterator[Fault]:
    try:
        plain(value)
    except TypeError as exc:
        yield Fault(
            "pipeline.not-json",
            f"argument '{name}' of step '{node.name}': {exc}",
            node.where,
            "pass plain values, or make the value in a step",
        )
        return
    if not admits(kind, value):
        yield Fault(
            "pipeline.types",
            f"step '{node.name}' asks for {describe(kind)} as '{name}', not {value!r}",
            node.where,
        )


def _result_faults(result: Any, known: Mapping[str, Node]) -> Iterator[Fault]:
    for found in references(result):
        if not _exists(found, known):
            yield _unknown(found, "")


def _type_of(argument: Any, known: Mapping[str, Node]) -> Any:
    if isinstance(argument, Reference):
        return known[argument.node].step.returns[argument.output]
    if isinstance(argument, tuple):
        return tuple[tuple(_type_of(item, known) for item in argument)]  # type: ignore[misc]
    if isinstance(argument, list):
        return list[_joined([_type_of(item, known) for item in argument])]  # type: ignore[misc]
    if isinstance(argument, Mapping):
        items = [_type_of(item, known) for item in argument.values()]
        return dict[str, _joined(items)]  # type: ignore[misc]
    return type(argument)


def _joined(kinds: Sequence[Any]) -> Any:
    return Any if Any in kinds else reduce(or_, kinds)


def _exists(found: Reference, known: Mapping[str, Node]) -> bool:
    source = known.get(found.node)
    return source is not None and 0 <= found.output < len(source.step.returns)


def _unknown(found: Reference, where: str) -> Fault:
    return Fault(
        "pipeline.unknown-input", f"there is no output {found.output} of '{found.node}'", where
    )


def _cycle_faults(graph: Graph, known: Mapping[str, Node]) -> Iterator[Fault]:
    steps = {node.step.name for node in graph.nodes}
    for node in graph.nodes:
        for name in node.step.after:
            if name not in steps:
                yield Fault(
                    "pipeline.unknown-step",
                    f"step '{node.step.name}' runs after '{name}', "
                    "which the pipeline does not call",
                    node.step.where,
                )
    waiting = {
        name: {parent for parent in parents if parent in known}
        for name, parents in graph.parents().items()
    }
    while free := [name for name, parents in waiting.items() if not parents]:
        for name in free:
            del waiting[name]
        for parents in waiting.values():
            parents.difference_update(free)
    if waiting:
        circle = _circle(waiting)
        yield Fault(
            "pipeline.cycle",
            f"steps wait for each other: {' → '.join([*circle, circle[0]])}",
            known[circle[0]].where or known[circle[0]].step.where,
            "remove one of these dependencies",
        )


def _circle(waiting: Mapping[str, set[str]]) -> list[str]:
    path = [min(waiting)]
    while (following := min(waiting[path[-1]] & waiting.keys())) not in path:
        path.append(following)
    return path[path.index(following) :][::-1]
