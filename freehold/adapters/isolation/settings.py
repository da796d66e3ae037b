"""How a model's process is run: from the environment, since paths and memory are a machine's."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from freehold.domain.errors import Fault, Refused

PREFIX = "FREEHOLD_MODEL_"
_MEBIBYTE = 2**20


@dataclass(frozen=True)
class ProcessSettings:
    python: str = sys.executable
    """`FREEHOLD_MODEL_PYTHON`: interpreter of the environment that has what the model needs."""
    libraries: str = ""
    """`FREEHOLD_MODEL_LIBRARIES`: folders, as in PYTHONPATH, in which it finds what the model
    needs, and nowhere else but in its own library; empty: where it finds it by itself."""
    deadline: float = 10.0
    """`FREEHOLD_MODEL_DEADLINE`: seconds for a call, and as many before it to wait for others."""
    start: float = 120.0
    """`FREEHOLD_MODEL_START`: seconds for a process to load the model."""
    queue: int = 64
    """`FREEHOLD_MODEL_QUEUE`: calls that may wait."""
    memory: int = 4096 * _MEBIBYTE
    """`FREEHOLD_MODEL_MEMORY`: bytes, given in MiB. A process that holds four fifths of it is
    replaced between two calls, one that holds more than all of it in the midst of one is ended."""


def read_settings(environment: Mapping[str, str] = os.environ) -> ProcessSettings:
    """Raises Refused `runtime.settings` with every fault."""
    faults: list[Fault] = []

    def number(name: str, default: float) -> float:
        text = environment.get(PREFIX + name, "")
        try:
            value = float(text or default)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            what = f"is '{text}', not a number above 0"
            faults.append(Fault("runtime.settings", what, PREFIX + name))
            return default
        return value

    usual = ProcessSettings()
    python = environment.get(PREFIX + "PYTHON") or usual.python
    if not os.access(python, os.X_OK) or Path(python).is_dir():
        what = f"'{python}' is no program that can be run"
        faults.append(Fault("runtime.settings", what, PREFIX + "PYTHON"))
    made = ProcessSettings(
        python=python,
        libraries=environment.get(PREFIX + "LIBRARIES", usual.libraries),
        deadline=number("DEADLINE", usual.deadline),
        start=number("START", usual.start),
        queue=max(1, int(number("QUEUE", usual.queue))),
        memory=int(number("MEMORY", usual.memory / _MEBIBYTE) * _MEBIBYTE),
    )
    if faults:
        raise Refused(
            "the settings of a model's process are not right",
            hint="mend these variables of the environment",
            code="runtime.settings",
            faults=faults,
        )
    return made
