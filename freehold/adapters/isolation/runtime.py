"""Runtimes whose models answer in processes of their own."""

import os
import shutil
import sys
import weakref
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.isolation.keeper import Keeper
from freehold.adapters.isolation.manifest import archive_of, function_of
from freehold.adapters.isolation.process import ModelFailed, ModelProcess
from freehold.adapters.isolation.settings import ProcessSettings, read_settings
from freehold.domain.errors import AdapterMissing, IntegrityError
from freehold.ports.model_runtime import Elsewhere, ModelRuntime, Predictor, UsesEnvironment


class IsolatedPredictor(Predictor, Elsewhere):
    """Its process, and its copy of the package, go with it."""

    def __init__(self, model: Mapping[str, Any], folder: Path, settings: ProcessSettings) -> None:
        place = Path(mkdtemp(prefix="freehold-model-"))
        try:
            copy = _Copy(folder, place / "package")
            self._keeper = Keeper(lambda: copy.start(model, settings), settings)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        weakref.finalize(self, _let_go, os.getpid(), self._keeper, place)
        self.width = self._keeper.width
        self.deadline = 2 * settings.deadline

    @property
    def pid(self) -> int | None:
        """None while a process is started again."""
        return self._keeper.pid

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Raises Failed: `runtime.model-raised`, `runtime.out-of-memory`, `runtime.wrong-answer`,
        `runtime.timed-out`, `runtime.process-ended`, `runtime.busy`, `runtime.down`.
        """
        self.require_width(matrix)
        return self._keeper.ask(matrix) if len(matrix) else np.empty(0)


class IsolatedRuntime(ModelRuntime):
    """Any package, by the runtime that it asks for, in a process of its own."""

    name = "isolated"

    def __init__(self, settings: ProcessSettings | None = None) -> None:
        self._settings = settings or read_settings()

    def load(self, folder: Path) -> Predictor:
        # Freehold itself is wanted there, which another environment need not have.
        here = os.pathsep.join(filter(None, sys.path)) if sys.flags.no_site else ""
        settings = replace(self._settings, python=ProcessSettings().python, libraries=here)
        return _loaded({"kind": "adapter", "runtime": "auto"}, folder, settings)

    def needs(self, folder: Path) -> tuple[str, ...]:
        """Of what it isolates, too."""
        auto: ModelRuntime = entry_points(group="freehold.model_runtime")["auto"].load()()
        return tuple(dict.fromkeys([self.name, "auto", *auto.needs(folder)]))


class _InEnvironment(ModelRuntime, UsesEnvironment):
    def __init__(self, settings: ProcessSettings | None = None) -> None:
        self._settings = settings or read_settings()

    @property
    def interpreter(self) -> str:
        return self._settings.python


class PyfuncRuntime(_InEnvironment):
    """Any package, as MLflow's Python function, in a process of its own."""

    name = "pyfunc"
    runs_code = True

    def imports(self, folder: Path) -> tuple[str, ...]:
        return ("numpy", "pandas", *([] if function_of(folder)["own"] else ["mlflow"]))

    def load(self, folder: Path) -> Predictor:
        model = {"kind": "pyfunc", "function": function_of(folder)}
        return _loaded(model, folder, self._settings)


class TorchRuntime(_InEnvironment):
    """A package with a TorchScript module or an exported program, in a process of its own."""

    name = "torch"
    runs_code = False

    def imports(self, folder: Path) -> tuple[str, ...]:
        del folder
        return "numpy", "torch"

    def load(self, folder: Path) -> Predictor:
        return _loaded({"kind": "torch", **archive_of(folder)}, folder, self._settings)


class _Copy:
    """Of a package that was checked, checked anew whenever a process is to read it."""

    def __init__(self, folder: Path, copy: Path) -> None:
        self._folder = copy
        shutil.copytree(folder, copy)
        self._digest = _digest(copy)

    def start(self, model: Mapping[str, Any], settings: ProcessSettings) -> ModelProcess:
        if _digest(self._folder) != self._digest:
            raise IntegrityError(
                "the package's copy was altered since it was loaded", code="runtime.copy-altered"
            )
        return ModelProcess(model, self._folder, settings)


def _let_go(owner: int, keeper: Keeper, place: Path) -> None:
    """A process that was forked has neither the model nor its files."""
    if os.getpid() == owner:
        keeper.close()
        shutil.rmtree(place, ignore_errors=True)


def _digest(folder: Path) -> str:
    whole = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        whole.update(f"{name}\0{sha256(path.read_bytes()).hexdigest()}\0".encode())
    return whole.hexdigest()


def _loaded(model: Mapping[str, Any], folder: Path, settings: ProcessSettings) -> Predictor:
    try:
        return IsolatedPredictor(model, folder, settings)
    except ModelFailed as exc:
        if exc.code == "adapter.missing":
            raise AdapterMissing(
                f"{settings.python} lacks what the package in {folder} needs",
                why=exc.why,
                hint="install its requirements.txt there, or name an interpreter that has them:"
                " FREEHOLD_MODEL_PYTHON",
            ) from exc
        is_package = exc.code.startswith("package.")
        raise IntegrityError(
            exc.what if is_package else f"the package in {folder} cannot be loaded",
            why=exc.why,
            code=exc.code if is_package else "package.unreadable",
        ) from exc
