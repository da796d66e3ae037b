"""Answering by the first installed runtime that the package names."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import yaml

from freehold.domain.errors import AdapterMissing, IntegrityError
from freehold.domain.package import MANIFEST, ONNX_MODEL
from freehold.ports.model_runtime import LoadsWithin, ModelRuntime, Predictor

_RUNTIMES = {"python_function": "pyfunc"}
"""Flavor of MLflow → runtime, where their names differ."""
_FIRST, _LAST = "onnx", "python_function"
"""ONNX Runtime starts in the shortest time and needs no other library; any package has a Python
function, at the price of a process. A folder that has nothing but an ONNX model needs no manifest.
"""


class AutoRuntime(ModelRuntime, LoadsWithin):
    name = "auto"

    def load(self, folder: Path) -> Predictor:
        """Raises AdapterMissing if none of the runtimes is installed."""
        return _runtime(folder).load(folder)

    def needs(self, folder: Path) -> tuple[str, ...]:
        return _runtime(folder).needs(folder)

    def load_within(self, folder: Path) -> Predictor:
        """The same, in a process that is a model's already."""
        runtime = _runtime(folder)
        if isinstance(runtime, LoadsWithin):
            return runtime.load_within(folder)
        return runtime.load(folder)

    def load_to_share(self, folder: Path) -> Predictor | None:
        """Raises AdapterMissing, as `load`."""
        return _runtime(folder).load_to_share(folder)


def _runtime(folder: Path) -> ModelRuntime:
    wanted = suited(_flavors(folder))
    installed = entry_points(group="freehold.model_runtime")
    absent: list[str] = []
    for name in wanted:
        if name not in installed.names:
            continue
        try:
            made: ModelRuntime = installed[name].load()()
        except ImportError as exc:
            absent.append(f"{name}: {exc}")
            continue
        return made
    raise AdapterMissing(
        f"no runtime for the package in {folder} is installed",
        why="; ".join(absent) or f"it has the flavors {', '.join(wanted) or 'none'}",
        hint=f"pip install 'freehold[{wanted[0]}]'" if wanted else "",
    )


def suited(flavors: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the runtimes that can answer, the one to be tried first before the others."""
    between = sorted(set(flavors) - {_FIRST, _LAST})
    order = [flavor for flavor in (_FIRST, *between, _LAST) if flavor in flavors]
    return tuple(_RUNTIMES.get(flavor, flavor) for flavor in order)


def _flavors(folder: Path) -> Mapping[str, Any]:
    try:
        manifest = yaml.safe_load((folder / MANIFEST).read_bytes())
    except OSError as exc:
        if (folder / ONNX_MODEL).is_file():
            return {_FIRST: {}}
        raise IntegrityError(
            f"the package in {folder} has no {MANIFEST}", why=str(exc), code="package.incomplete"
        ) from exc
    except yaml.YAMLError as exc:
        raise _unreadable(folder, str(exc)) from exc
    flavors = manifest.get("flavors") if isinstance(manifest, dict) else None
    if not isinstance(flavors, dict):
        raise _unreadable(folder, "it names no flavors")
    return flavors


def _unreadable(folder: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{folder / MANIFEST} cannot be loaded", why=why, code="package.unreadable"
    )
