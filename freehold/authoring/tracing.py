"""Recording the calls of steps while a pipeline's function runs once."""

import inspect
from contextvars import ContextVar
from typing import Any

from freehold.authoring.promise import Promise, referred
from freehold.domain.errors import Fault
from freehold.domain.graph import Graph, Node
from freehold.domain.step import StepDefinition

current: ContextVar["Tracer | None"] = ContextVar("freehold_tracer", default=None)


class Tracer:
    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._faults: list[Fault] = []
        self._calls: dict[str, int] = {}

    def record(
        self, step: StepDefinition, where: str, given: tuple[tuple[Any, ...], dict[str, Any]]
    ) -> Promise:
        """One call of a step with `given` positional and keyword arguments."""
        name = self._name(step)
        arguments: dict[str, Any] = {}
        try:
            bound = inspect.signature(step.function).bind(*given[0], **given[1])
        except TypeError as exc:
            self._faults.append(Fault("pipeline.arguments", f"step '{step.name}': {exc}", where))
        else:
            bound.apply_defaults()
            arguments = {key: referred(value) for key, value in bound.arguments.items()}
        self._nodes.append(Node(name, step, arguments, where))
        return Promise(name, tuple(range(len(step.returns))))

    def graph(self, name: str, result: Any, parameters: dict[str, Any]) -> Graph:
        return Graph(name, tuple(self._nodes), referred(result), parameters, tuple(self._faults))

    def _name(self, step: StepDefinition) -> str:
        """The step's own for its first call, then `name-2`, `name-3`, …"""
        count = self._calls[step.address] = self._calls.get(step.address, 0) + 1
        return step.name if count == 1 else f"{step.name}-{count}"
