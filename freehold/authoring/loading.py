"""Finding a step by its address, in the process that is to run it."""

import importlib

from freehold.authoring.step import Step
from freehold.domain.errors import NotFound
from freehold.domain.step import StepDefinition


def find_step(address: str) -> StepDefinition:
    """The step at `module:name`; the project's folder must be on the path.

    Raises NotFound if the module has no such step, and whatever importing the module raises.
    """
    module, _, name = address.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if not isinstance(found, Step):
        raise NotFound(f"{address} is not a step", hint="put @step above the function")
    return found.definition
