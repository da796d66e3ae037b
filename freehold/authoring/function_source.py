"""A function as a module of its own: its source, and what of its module it needs.

Carried are functions, classes, imports and values that a module binds once, at its top level, and
what these need in turn, through the project's own modules. Whatever cannot be carried so is refused
by its name: what another machine would run must be what was run here. So the module that was made
is run once, and what it has must equal what the function saw.
"""

import ast
import builtins
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from freehold.authoring.project_module import ProjectModule, alias_of, bound_by, names_in
from freehold.authoring.sameness import is_same

ALWAYS_THERE = "numpy"
"""Every package requires it."""
_HEAD = "from __future__ import annotations\n"
"""Annotations name types of the project, which are not carried: they are not looked at."""


@dataclass(frozen=True)
class FunctionSource:
    text: str
    """Empty if it cannot be carried."""
    requirements: tuple[str, ...]
    """Pinned, of the distributions that were named."""
    faults: tuple[tuple[str, str, str], ...]
    """Code, what is wrong, what to do."""


def source_of(function: FunctionType, distributions: Sequence[str]) -> FunctionSource:
    """`distributions`: names of those that the function needs beside numpy."""
    carrying = _Carrying(function.__name__, distributions)
    requirements = tuple(sorted(carrying.pinned(name) for name in distributions))
    text = carrying.text(function)
    if carrying.faults:
        text = ""
    return FunctionSource(text, requirements, tuple(dict.fromkeys(carrying.faults)))


class _Carrying:
    def __init__(self, name: str, distributions: Sequence[str]) -> None:
        self._name, self._allowed = name, {_folded(one) for one in distributions}
        self._modules: dict[str, ProjectModule] = {}
        self._owner: dict[str, str] = {}
        """Name in what is made → the module and statement that it comes from."""
        self._texts: list[str] = []
        self._live: dict[str, Any] = {}
        self.faults: list[tuple[str, str, str]] = []

    def pinned(self, name: str) -> str:
        try:
            return f"{name}=={version(name)}"
        except PackageNotFoundError:
            hint = "install it, or name the distribution as an index does"
            self._fault("graph.requirement", f"requires '{name}', which is not installed", hint)
            return name

    def text(self, function: FunctionType) -> str:
        if function.__name__ == "<lambda>":
            hint = "write it as a function of a module"
            self._fault("graph.lambda", "has no name and no source of its own", hint)
        elif function.__closure__:
            names = ", ".join(map(repr, function.__code__.co_freevars))
            what = f"closes over {names}, which its source does not carry"
            self._fault("graph.closure", what, "write it at a module's top level")
        elif "." in function.__qualname__:
            what = f"is defined within {function.__qualname__.rpartition('.')[0]}"
            self._fault("graph.closure", what, "write it at a module's top level")
        elif not self._is_project(function.__module__):
            self._installed(function)
        else:
            self._carry(function.__module__, function.__name__)
            self._compare()
        return _HEAD + "\n" + "\n\n".join(self._texts) + "\n"

    def _installed(self, function: FunctionType) -> None:
        """By its address: the distribution is required, and brings it."""
        if self._allows(function.__module__, f"'{function.__module__}'"):
            self._texts.append(f"from {function.__module__} import {function.__name__}")

    def _carry(self, module: str, name: str) -> None:
        """Raises nothing: what cannot be carried is a fault."""
        found = self._module(module)
        if found is None:
            return
        if name not in found.bound or name in found.unsteady:
            times = "is bound twice or under a condition" if name in found.unsteady else "is not"
            what = f"needs '{name}', which {times} at the top level of {module}"
            self._fault("graph.not-carried", what, "bind it there once, by itself")
            return
        statement = found.bound[name]
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self._imported(found, statement, name)
            return
        if not self._claim(name, f"{module}:{statement.lineno}"):
            return
        for other in bound_by(statement):
            self._owner[other] = f"{module}:{statement.lineno}"
        for needed in names_in(statement):
            self._need(module, found, needed)
        for other in bound_by(statement):
            self._live[other] = live = getattr(sys.modules[module], other, None)
            if not found.says(live):
                hint = "start again if the file was changed, and let nothing replace it"
                self._fault(
                    "graph.not-carried",
                    f"needs '{other}', which is another than {module} says",
                    hint,
                )
        self._texts.append(found.text(statement))

    def _need(self, module: str, found: ProjectModule, name: str) -> None:
        if name in found.bound:
            self._carry(module, name)
        elif not hasattr(builtins, name):
            what = f"needs '{name}', which is not bound at the top level of {module}"
            self._fault("graph.not-carried", what, "bind it there once, by itself")

    def _imported(
        self, found: ProjectModule, statement: ast.Import | ast.ImportFrom, name: str
    ) -> None:
        alias = next(one for one in statement.names if alias_of(one) == name)
        if isinstance(statement, ast.Import):
            self._whole(name, alias)
            return
        origin = _absolute(statement, found.name)
        if alias.name == "*":
            self._fault("graph.not-carried", f"needs what {origin} gives to '*'", "name it")
        elif origin == "__future__":
            pass
        elif not self._is_project(origin):
            if self._allows(origin, f"'{origin}'") and self._claim(name, f"{origin}:{alias.name}"):
                self._texts.append(ast.unparse(ast.ImportFrom(origin, [alias], 0)))
        elif alias.name == name:
            self._carry(origin, name)
        else:
            hint = "import it under its own name"
            what = f"needs '{alias.name}' of {origin} under another name, '{name}'"
            self._fault("graph.not-carried", what, hint)

    def _whole(self, name: str, alias: ast.alias) -> None:
        if self._is_project(alias.name):
            hint = f"import what it needs by name: from {alias.name} import …"
            self._fault("graph.not-carried", f"needs the whole module {alias.name}", hint)
        elif self._allows(alias.name, f"'{alias.name}'") and self._claim(name, alias.name):
            self._texts.append(ast.unparse(ast.Import([alias])))

    def _claim(self, name: str, origin: str) -> bool:
        """Whether the name is to be carried now, and not there already."""
        if name not in self._owner:
            self._owner[name] = origin
            return True
        if self._owner[name] != origin:
            what = f"needs two things called '{name}'"
            self._fault("graph.name-twice", what, "rename one of them")
        return False

    def _allows(self, module: str, named: str) -> bool:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or top == ALWAYS_THERE:
            return True
        names = packages_distributions().get(top, [])
        if self._allowed & {_folded(one) for one in names} and top != "freehold":
            return True
        if top == "freehold":
            hint = "a package answers without Freehold: do it in a step, or in plain Python"
        else:
            hint = f"say so: requirements=['{(names or [top])[0]}']"
        self._fault("graph.requirement", f"needs {named}, which the package does not require", hint)
        return False

    def _module(self, name: str) -> ProjectModule | None:
        if name not in self._modules:
            try:
                self._modules[name] = ProjectModule.read(sys.modules[name])
            except (OSError, SyntaxError, KeyError, TypeError) as exc:
                what = f"stands in {name}, whose source is not there: {exc}"
                self._fault("graph.no-source", what, "write it into a file of the project")
                return None
        return self._modules[name]

    def _is_project(self, module: str) -> bool:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names and top != "__main__":
            return False
        found = sys.modules.get(top)
        path = getattr(found, "__file__", None)
        if top == "__main__" and path is None:
            return True
        if found is None:
            try:
                spec = importlib.util.find_spec(top)
            except (ImportError, ValueError):
                return False
            path = spec.origin if spec is not None else None
        if path is None:
            path = next(iter(getattr(found, "__path__", [])), None)
        return top != "freehold" and path is not None and not _is_installed(path)

    def _compare(self) -> None:
        """Run what was made, as a package's loader does: are its values the same?"""
        if self.faults:
            return
        module = ModuleType(f"carried_{self._name}")
        text = _HEAD + "\n".join(self._texts)
        # Data classes look up where they were defined.
        sys.modules[module.__name__] = module
        try:
            exec(compile(text, f"<{self._name}>", "exec"), vars(module))
        # What the project's own code raises when it is run by itself is not known beforehand.
        except Exception as exc:  # noqa: BLE001
            what = f"does not run by itself: {type(exc).__name__}: {exc}"
            self._fault("graph.not-carried", what[:300], "let it need nothing but what it names")
            return
        finally:
            del sys.modules[module.__name__]
        for name, value in self._live.items():
            if not is_same(vars(module).get(name), value):
                what = f"needs '{name}', which is not what the source gives it any more"
                hint = "let nothing change it once it is bound; what was learned belongs in a model"
                self._fault("graph.not-carried", what, hint)

    def _fault(self, code: str, what: str, hint: str = "") -> None:
        self.faults.append((code, what, hint))


def _absolute(statement: ast.ImportFrom, module: str) -> str:
    if not statement.level:
        return statement.module or ""
    package = getattr(sys.modules[module], "__package__", "") or ""
    return importlib.util.resolve_name("." * statement.level + (statement.module or ""), package)


@cache
def _installations() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    own = [paths["purelib"], paths["platlib"], site.getusersitepackages()]
    return tuple({Path(path).resolve() for path in (*own, *site.getsitepackages())})


def _is_installed(path: str) -> bool:
    return any(Path(path).resolve().is_relative_to(place) for place in _installations())


def _folded(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
