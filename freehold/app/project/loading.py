"""Imports a project's Python, traces its pipelines, and knows the bytes of every module in it."""

import ast
import importlib
import os
import sys
import traceback
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import date
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any

from freehold.app.project.reading import OpenProject
from freehold.authoring.pipeline import Pipeline
from freehold.domain.canonical import digest_of
from freehold.domain.errors import Fault, FreeholdError, ProjectInvalid
from freehold.domain.graph import Graph
from freehold.domain.step import REQUIRED
from freehold.running.code import Code

SKIPPED = {".freehold", ".venv", "__pycache__", ".git", "node_modules"}


def project_files(root: Path, suffixes: Collection[str]) -> list[Path]:
    """Those that people wrote, in order. What is not theirs is not looked into: it may be large,
    and sites' own files come and go meanwhile."""
    found = []
    for place, folders, names in os.walk(root):
        folders[:] = [one for one in folders if one not in SKIPPED]
        found += [Path(place, one) for one in names if Path(one).suffix in suffixes]
    return sorted(found)


def module_sources(root: Path) -> dict[str, bytes]:
    """Dotted name → source bytes of every Python module under the project's folder."""
    found: dict[str, bytes] = {}
    for path in project_files(root, {".py"}):
        relative = path.relative_to(root)
        parts = [*relative.parts[:-1], *([] if path.stem == "__init__" else [path.stem])]
        if parts:
            found[".".join(parts)] = path.read_bytes()
    return found


def load_pipelines(project: OpenProject) -> dict[str, Pipeline[..., Any]]:
    """Every pipeline of the project file; for any thread. Raises ProjectInvalid with all faults."""
    with _loading:
        return _load_pipelines(project)


def _load_pipelines(project: OpenProject) -> dict[str, Pipeline[..., Any]]:
    found: dict[str, Pipeline[..., Any]] = {}
    faults: list[Fault] = []
    make_importable(project.root)
    for name, address in project.spec.pipelines.items():
        module_name, _, function = address.partition(":")
        try:
            module = importlib.import_module(module_name)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - a user's module raises anything
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
        raise _python_invalid(faults)
    return found


def traced(
    project: OpenProject, pipeline: Pipeline[..., Any], values: Mapping[str, Any] | None = None
) -> Graph:
    """Raises WrongUsage for values it does not take, ProjectInvalid if its function raises."""
    try:
        return pipeline.trace(values)
    except FreeholdError:
        raise
    except Exception as exc:
        what = f"pipeline '{pipeline.name}' raises when traced: {type(exc).__name__}: {exc}"
        where = _own_frame(project, exc)
        hint = "a pipeline only calls steps; what works on values belongs into one"
        raise _python_invalid([Fault("pipeline.raised", what, where, hint)]) from exc


def stand_ins(pipeline: Pipeline[..., Any]) -> dict[str, Any]:
    """A value for each parameter that has no default: the graph's shape is what is asked for."""
    values = {str: "", int: 0, float: 0.0, bool: False, date: date(2000, 1, 1), list[str]: []}
    return {one.name: values[one.kind] for one in pipeline.parameters if one.default is REQUIRED}


def require_readable(graph: Graph, sources: Mapping[str, bytes]) -> None:
    """Raises ProjectInvalid if a step reaches a module that is not Python; all such are named."""
    code = Code(sources)
    with suppress(SyntaxError):
        for module in {node.step.module for node in graph.nodes}:
            code.reached(module)
        return
    faults = []
    for name, source in sources.items():
        try:
            ast.parse(source)
        except SyntaxError as exc:
            where = f"{name.replace('.', '/')}.py:{exc.lineno or 1}"
            what = f"module '{name}' cannot be read: {type(exc).__name__}: {exc.msg}"
            faults.append(Fault("project.import", what, where))
    if faults:
        raise _python_invalid(faults)


def make_importable(root: Path) -> None:
    """The project's folder first on the path. Modules of another project are forgotten, and those
    of this one if any of its sources changed: code and cache key must be of the same bytes."""
    with _loading:
        _make_importable(root)


def _make_importable(root: Path) -> None:
    sources = module_sources(root)
    digest = digest_of({name: sha256(data).hexdigest() for name, data in sources.items()})
    changed = _loaded.get(root) != digest
    tops = {name.partition(".")[0] for name in sources}
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if origin is None or name.partition(".")[0] not in tops:
            continue
        if changed or not Path(origin).is_relative_to(root):
            del sys.modules[name]
    _loaded[root] = digest
    importlib.invalidate_caches()
    if sys.path[:1] != [str(root)]:
        sys.path.insert(0, str(root))


_loading = RLock()
"""A console traces one request in a thread while its loop runs another in the next."""
_loaded: dict[Path, str] = {}
"""By project folder, the digest of the sources that its imported modules are of."""


def _import_fault(project: OpenProject, name: str, module: str, exc: BaseException) -> Fault:
    where = _own_frame(project, exc) or project.where("pipelines", name)
    if isinstance(exc, SyntaxError) and exc.filename:
        where = f"{Path(exc.filename).name}:{exc.lineno}"
    what = f"module '{module}' does not import: {type(exc).__name__}: {exc}"
    return Fault("project.import", what, where)


def _own_frame(project: OpenProject, exc: BaseException) -> str:
    """`file:line` of the innermost frame in the project, or empty."""
    frames = traceback.extract_tb(exc.__traceback__)
    mine = [f for f in frames if Path(f.filename).is_relative_to(project.root)]
    return f"{Path(mine[-1].filename).relative_to(project.root)}:{mine[-1].lineno}" if mine else ""


def _python_invalid(faults: list[Fault]) -> ProjectInvalid:
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return ProjectInvalid(
        f"{count} in the project's Python",
        faults=faults,
        hint="mend them and run `freehold check` again",
    )
