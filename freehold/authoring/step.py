"""`@step`: a plain typed function that a pipeline may call."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import (
    Any,
    Generic,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from freehold.authoring.checkpoint import in_memory
from freehold.authoring.source import line_of, place_of
from freehold.authoring.tracing import current
from freehold.domain.errors import Fault
from freehold.domain.size import bytes_of
from freehold.domain.step import REQUIRED, Needs, Parameter, StepDefinition

P = ParamSpec("P")
R = TypeVar("R")


class StepSettings(TypedDict, total=False):
    """What `@step(…)` takes; `step` says what each means."""

    cpus: float
    memory: str | int
    accelerators: int
    accelerator: str
    retries: int
    timeout: float | None
    cache: bool
    labels: Mapping[str, str] | None
    lowers: Sequence[str]
    resumes: bool
    seconds: float
    output: str | int
    after: Sequence[str]


@dataclass(frozen=True)
class _Settings:
    cpus: float = 1
    memory: str | int = 0
    accelerators: int = 0
    accelerator: str = ""
    retries: int = 0
    timeout: float | None = None
    cache: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    lowers: Sequence[str] = ()
    resumes: bool = False
    seconds: float = 0.0
    output: str | int = 0
    after: Sequence[str] = ()


class Step(Generic[P, R]):
    """Called outside a pipeline it runs; inside one that is traced it gives a promise."""

    def __init__(self, function: Callable[P, R], settings: _Settings) -> None:
        self._function, self._settings = function, settings
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        tracer = current.get()
        if tracer is None:
            if not self._settings.resumes:
                return self._function(*args, **kwargs)
            with in_memory(f"{self._function.__module__}:{self._function.__name__}"):
                return self._function(*args, **kwargs)
        return cast(R, tracer.record(self.definition, line_of(1), (args, kwargs)))

    @functools.cached_property
    def definition(self) -> StepDefinition:
        """Its types are resolved when first asked for: an annotation may name what comes later."""
        return _define(self._function, self._settings)


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(**settings: Unpack[StepSettings]) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Make a typed function a step.

    `cpus`, `memory` (bytes, or text such as `"1GB"`) and `accelerators` are what its machine has at
    least, and `accelerator` the kind that these are of (`"a100-80gb"`; any, if it is not said);
    `timeout` seconds, after which the step's process is killed; `retries` how often it is tried
    again; `cache=False` runs it every time; `labels` go on its outputs; `lowers` names those of its
    inputs that its outputs no longer bear, where a policy consents; `resumes` says that it saves
    checkpoints and goes on from them; `seconds` and `output` (bytes, or text) say what a plan
    expects of it before it ever ran; `after` names steps that must finish first though no data
    comes from them.
    """
    if settings.get("labels", {}) is None:
        del settings["labels"]
    if function is not None:
        return Step(function, _Settings())
    return lambda decorated: Step(decorated, _Settings(**settings))


def _define(function: Callable[..., Any], settings: _Settings) -> StepDefinition:
    where, faults = place_of(function), list[Fault]()

    def fault(code: str, what: str, hint: str = "") -> None:
        faults.append(Fault(code, f"step '{function.__name__}': {what}", where, hint))

    hints: dict[str, Any] = {}
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, AttributeError) as exc:
        fault("step.annotation", f"an annotation cannot be resolved: {exc}")
    else:
        _complain(function, hints, fault)
    returned = hints.get("return", Any)
    unpacks = _unpacks(returned)
    return StepDefinition(
        name=function.__name__,
        module=function.__module__,
        function=function,
        parameters=tuple(_parameters(function, hints)),
        returns=get_args(returned) if unpacks else (returned,),
        unpacks=unpacks,
        needs=_needs(settings, fault),
        retries=_checked(settings.retries, 0, "retries", fault),
        timeout=_checked(settings.timeout, 0, "timeout", fault),
        cache=settings.cache,
        labels=dict(settings.labels),
        lowers=tuple(settings.lowers),
        resumes=settings.resumes,
        expected_seconds=_checked(settings.seconds, 0, "seconds", fault),
        expected_bytes=_bytes(settings.output, fault),
        after=tuple(settings.after),
        where=where,
        faults=tuple(faults),
    )


def _needs(settings: _Settings, fault: Callable[[str, str], None]) -> Needs:
    kind, count = settings.accelerator, settings.accelerators
    if kind and not count:
        fault(
            "step.setting", f"accelerator is '{kind}', and accelerators is not said: say how many"
        )
    return Needs(settings.cpus, _bytes(settings.memory, fault), count, kind)


def _complain(
    function: Callable[..., Any], hints: Mapping[str, Any], fault: Callable[[str, str], None]
) -> None:
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            fault("step.parameter", f"parameter '{parameter.name}' cannot be passed by its name")
        elif parameter.name not in hints:
            fault("step.annotation", f"parameter '{parameter.name}' has no type")
    if "return" not in hints:
        fault("step.annotation", "it does not say what type it returns")
    if "<locals>" in function.__qualname__ or function.__name__ == "<lambda>":
        fault("step.local", "it is defined inside a function, where no other process finds it")


def _parameters(function: Callable[..., Any], hints: Mapping[str, Any]) -> list[Parameter]:
    return [
        Parameter(
            one.name,
            hints.get(one.name, Any),
            REQUIRED if one.default is one.empty else one.default,
        )
        for one in inspect.signature(function).parameters.values()
    ]


def _unpacks(returned: Any) -> bool:
    items = get_args(returned)
    return get_origin(returned) is tuple and len(items) > 1 and items[-1] is not ...


def _bytes(memory: str | int, fault: Callable[[str, str], None]) -> int:
    if isinstance(memory, int):
        return memory
    try:
        return bytes_of(memory)
    except ValueError as exc:
        fault("step.memory", f"{exc}")
        return 0


Number = TypeVar("Number", int, float, float | None)


def _checked(value: Number, least: int, name: str, fault: Callable[[str, str], None]) -> Number:
    if value is not None and value < least:
        fault("step.setting", f"{name} is {value}, less than {least}")
    return value
