"""Imports a project's Python, and knows the bytes of every module in it."""

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from freehold.app.project.reading import OpenProject
from freehold.authoring.pipeline import Pipeline
from freehold.domain.errors import Fault, ProjectInvalid

SKIPPED = {".freehold", ".venv", "__pycache__", ".git", "node_modules"}


def module_sources(root: Path) -> dict[str, bytes]:
    """Dotted name → source bytes of every Python module under the project's folder."""
    found: dict[str, bytes] = {}
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if SKIPPED & set(relative.parts):
            continue
        parts = [*relative.parts[:-1], *([] if path.stem == "__init__" else [path.stem])]
        if parts:
            found[".".join(parts)] = path.read_bytes()
    return found


def load_pipelines(project: OpenProject) -> dict[str, Pipeline[..., Any]]:
    """Every pipeline of the project file. Raises ProjectInvalid with all faults."""
    found: dict[str, Pipeline[..., Any]] = {}
    faults: list[Fault] = []
    with importing_from(project.root):
        for name, address in project.spec.pipelines.items():
            module_name, _, function = address.partition(":")
            try:
                module = importlib.import_module(module_name)
            except Exception as exc:  # noqa: BLE001 - the user's module may raise anything
                faults.append(_import_fault(project, name, module_name, exc))
                continue
            value = getattr(module, function, None)
            if not isinstance(value, Pipeline):
                why = "is not there" if value is None else "is not a @pipeline"
                where = project.where("pipelines", name)
                faults.append(Fault("project.no-pipeline", f"'{address}' {why}", where))
                continue
            found[name] = value
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise ProjectInvalid(f"{count} in the project's Python", faults=faults)
    return found


@contextmanager
def importing_from(root: Path) -> Iterator[None]:
    """The project's folder first on the path; modules of another project are forgotten."""
    for name, module in list(sys.modules.items()):
        if _belongs_elsewhere(name, module, root):
            del sys.modules[name]
    importlib.invalidate_caches()
    if sys.path[:1] != [str(root)]:
        sys.path.insert(0, str(root))
    yield


def _belongs_elsewhere(name: str, module: ModuleType, root: Path) -> bool:
    """Whether a loaded module hides one of the same name in this project."""
    origin = getattr(module, "__file__", None)
    if origin is None or not (root / f"{name.partition('.')[0]}.py").is_file():
        return False
    return not Path(origin).is_relative_to(root)


def _import_fault(project: OpenProject, name: str, module: str, exc: Exception) -> Fault:
    where = project.where("pipelines", name)
    frames = traceback.extract_tb(exc.__traceback__)
    mine = [f for f in frames if Path(f.filename).is_relative_to(project.root)]
    if isinstance(exc, SyntaxError) and exc.filename:
        where = f"{Path(exc.filename).name}:{exc.lineno}"
    elif mine:
        relative = Path(mine[-1].filename).relative_to(project.root)
        where = f"{relative}:{mine[-1].lineno}"
    what = f"module '{module}' does not import: {type(exc).__name__}: {exc}"
    return Fault("project.import", what, where)
