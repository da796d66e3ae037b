"""`@pipeline`: a function that composes steps by calling them."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints, overload

from freehold.authoring.source import place_of
from freehold.authoring.tracing import Tracer, current
from freehold.domain.errors import Fault, ProjectInvalid, WrongUsage
from freehold.domain.graph import Graph
from freehold.domain.json_value import typed
from freehold.domain.step import REQUIRED, Parameter
from freehold.domain.stored_type import admits, describe

P = ParamSpec("P")
R = TypeVar("R")

_KINDS = (str, int, float, bool, date, list[str])
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class _Unset:
    why: str


class Pipeline(Generic[P, R]):
    """Called plainly, or inside another pipeline, it is its function; `trace` makes a graph."""

    __freehold_pipeline__ = True
    """By this a project's loader knows it."""

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    @property
    def name(self) -> str:
        return self._function.__name__

    @property
    def address(self) -> str:
        """`module:name`."""
        return f"{self._function.__module__}:{self.name}"

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it is given at run time. Raises ProjectInvalid with all that cannot be."""
        faults = list(_parameter_faults(self._function))
        if faults:
            raise ProjectInvalid(
                f"pipeline '{self.name}' has parameters that cannot be given at run time",
                faults=faults,
            )
        hints = get_type_hints(self._function)
        return tuple(
            Parameter(
                one.name, hints[one.name], REQUIRED if one.default is one.empty else one.default
            )
            for one in inspect.signature(self._function).parameters.values()
        )

    def trace(self, values: Mapping[str, Any] | None = None) -> Graph:
        """Run the function once with steps that only record themselves.

        `values` by parameter's name: of its type, or text that is converted by its annotation.
        Raises WrongUsage with every value that is unknown, missing or of another type. The graph
        is not checked yet: see `Graph.check`.
        """
        given = self._given(values or {})
        tracer = Tracer()
        token = current.set(tracer)
        try:
            result = self._function(**given)  # type: ignore[call-arg]
        finally:
            current.reset(token)
        return tracer.graph(self.name, result, given)

    def _given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        faults = [
            Fault("usage.parameter", f"pipeline '{self.name}' has no parameter '{name}'", name)
            for name in sorted(set(values) - {one.name for one in self.parameters})
        ]
        given = {}
        for one in self.parameters:
            value = _value(one, values.get(one.name, one.default))
            if isinstance(value, _Unset):
                faults.append(Fault("usage.parameter", value.why, one.name))
            given[one.name] = value
        if faults:
            names = ", ".join(f"{one.name}: {describe(one.kind)}" for one in self.parameters)
            raise WrongUsage(
                f"the parameters given to pipeline '{self.name}' cannot be used",
                hint=f"it takes {names}; give them as --set name=value" if names else "",
                faults=faults,
                code="usage.parameter",
            )
        return given


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...


@overload
def pipeline() -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...


def pipeline(function: Callable[..., Any] | None = None, /) -> Any:
    """Make a function that calls steps a pipeline.

    Its parameters are text, numbers, booleans, dates or lists of text, given at run time. It may
    return a step's result, a tuple or dictionary of them, or a `Candidate`.
    """
    return Pipeline if function is None else Pipeline(function)


def _parameter_faults(function: Callable[..., Any]) -> Iterator[Fault]:
    where = place_of(function)
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError) as exc:
        yield Fault("pipeline.parameter", f"an annotation cannot be resolved: {exc}", where)
        return
    for one in inspect.signature(function).parameters.values():
        if hints.get(one.name) not in _KINDS:
            stated = describe(hints[one.name]) if one.name in hints else "no type"
            yield Fault(
                "pipeline.parameter",
                f"parameter '{one.name}' has {stated}",
                where,
                "use str, int, float, bool, date or list[str]",
            )


def _value(parameter: Parameter, value: Any) -> Any:
    if value is REQUIRED:
        return _Unset(f"'{parameter.name}' is not given")
    if isinstance(value, str) and parameter.kind is not str:
        try:
            value = _converted(parameter.kind, value)
        except ValueError:
            return _Unset(f"'{value}' is not {describe(parameter.kind)}")
    if not admits(parameter.kind, value) or _is_too_large(value):
        return _Unset(f"{value!r} is not {describe(parameter.kind)}")
    return typed(parameter.kind, value) if parameter.kind is float else value


def _is_too_large(value: Any) -> bool:
    """For canonical JSON, in which the history keeps it."""
    return isinstance(value, int) and abs(value) >= 2**53


def _converted(kind: Any, text: str) -> Any:
    if kind is bool:
        if text.lower() not in _TRUTH:
            raise ValueError(text)
        return _TRUTH[text.lower()]
    if kind is date:
        return date.fromisoformat(text)
    if kind == list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]
    return kind(text)
