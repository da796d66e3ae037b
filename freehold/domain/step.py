"""What a step is: a plain function, its types, and what it asks of the machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.domain.errors import Fault

REQUIRED: Any = object()
"""Stands where a parameter has no default."""


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: Any
    """The annotation, resolved."""
    default: Any = REQUIRED


@dataclass(frozen=True)
class Needs:
    cpus: float = 1
    memory: int = 0
    """Bytes; 0 when the step does not say."""
    accelerators: int = 0
    accelerator: str = ""
    """Their kind, as `a100-80gb`; empty for any."""


@dataclass(frozen=True)
class StepDefinition:
    name: str
    module: str
    function: Callable[..., Any] = field(repr=False)
    parameters: tuple[Parameter, ...] = ()
    returns: tuple[Any, ...] = (Any,)
    """One type per output."""
    unpacks: bool = False
    """The function returns a tuple, one item per output."""
    needs: Needs = Needs()
    retries: int = 0
    timeout: float | None = None
    """Seconds, after which its process is killed."""
    cache: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    """Put on all its outputs, beside those of its inputs."""
    lowers: tuple[str, ...] = ()
    """Labels of its inputs that its outputs no longer bear, if a policy consents: `pii`, or
    `residency=EU` for one value of several."""
    resumes: bool = False
    """It saves checkpoints and goes on from the latest, so it may run where machines are taken
    away."""
    expected_seconds: float = 0.0
    """That a plan counts with while nothing was measured; 0: not said."""
    expected_bytes: int = 0
    """Of all its outputs, likewise."""
    after: tuple[str, ...] = ()
    """Names of steps that must have finished, though no data comes from them."""
    where: str = ""
    """`file:line` of its definition."""
    faults: tuple[Fault, ...] = ()

    @property
    def address(self) -> str:
        """`module:name`, by which another process finds it."""
        return f"{self.module}:{self.name}"

    def parameter(self, name: str) -> Parameter | None:
        return next((one for one in self.parameters if one.name == name), None)
