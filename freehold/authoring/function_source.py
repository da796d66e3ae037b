"""A function as a module of its own: its source, and what of its module it needs.

Carried are functions, classes, imports and values that a module binds once, at its top level, and
what these need in turn, through the project's own modules. Whatever cannot be carried so is refused
by its name: what another machine would run must be what was run here. So the module that was made
is run once, and what it has must equal what the function saw.
"""

import __future__

import ast
import builtins
import dis
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

ALWAYS_THERE = "numpy"
"""Every package requires it."""
_HEAD = "from __future__ import annotations\n"
"""Annotations name types of the project, which are not carried: they are not looked at."""
_LOOKUPS = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS")
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
Statement = ast.stmt


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


@dataclass
class _Module:
    """Of the project, parsed."""

    name: str
    lines: Sequence[str]
    bound: dict[str, Statement] = field(default_factory=dict)
    unsteady: set[str] = field(default_factory=set)
    """Names that are bound twice, or under a condition."""

    @classmethod
    def read(cls, module: ModuleType) -> "_Module":
        """Raises OSError, SyntaxError."""
        text = inspect.getsource(module)
        made = cls(module.__name__, text.splitlines(keepends=True))
        for statement in ast.parse(text).body:
            plain = isinstance(statement, _BINDING)
            for name in _bound_by(statement):
                if name in made.bound or not plain:
                    made.unsteady.add(name)
                made.bound[name] = statement
        return made

    def text(self, statement: Statement) -> str:
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(one.lineno for one in decorators)])
        own = "".join(self.lines[first - 1 : statement.end_lineno])
        try:
            alone = len(ast.parse(own).body) == 1
        except SyntaxError:
            alone = False
        return own.rstrip() if alone else ast.unparse(statement)


_BINDING = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AnnAssign,
)


class _Carrying:
    def __init__(self, name: str, distributions: Sequence[str]) -> None:
        self._name, self._allowed = name, {_folded(one) for one in distributions}
        self._modules: dict[str, _Module] = {}
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
            self._compare(function)
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
        for other in _bound_by(statement):
            self._owner[other] = f"{module}:{statement.lineno}"
        for needed in _names(statement):
            self._need(module, found, needed)
        for other in _bound_by(statement):
            self._live[other] = getattr(sys.modules[module], other, None)
        self._texts.append(found.text(statement))

    def _need(self, module: str, found: _Module, name: str) -> None:
        if name in found.bound:
            self._carry(module, name)
        elif not hasattr(builtins, name):
            what = f"needs '{name}', which is not bound at the top level of {module}"
            self._fault("graph.not-carried", what, "bind it there once, by itself")

    def _imported(self, found: _Module, statement: ast.Import | ast.ImportFrom, name: str) -> None:
        alias = next(one for one in statement.names if _alias(one) == name)
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

    def _module(self, name: str) -> _Module | None:
        if name not in self._modules:
            try:
                self._modules[name] = _Module.read(sys.modules[name])
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

    def _compare(self, function: FunctionType) -> None:
        """Run what was made, as a package's loader does, and look whether it is the same."""
        if self.faults:
            return
        namespace: dict[str, Any] = {"__name__": f"carried_{self._name}"}
        text = _HEAD + "\n".join(self._texts)
        try:
            exec(compile(text, f"<{self._name}>", "exec"), namespace)
        # What the project's own code raises when it is run by itself is not known beforehand.
        except Exception as exc:  # noqa: BLE001
            what = f"does not run by itself: {type(exc).__name__}: {exc}"
            self._fault("graph.not-carried", what[:300])
            return
        if not _is_same(namespace.get(self._name), function):
            hint = "start again if the file was changed; write it without a decorator of its own"
            what = "is not what its source says"
            self._fault("graph.not-carried", what, hint)
        for name, value in self._live.items():
            if name != self._name and not _is_same(namespace.get(name), value):
                what = f"needs '{name}', which is not what the source gives it any more"
                hint = (
                    "let nothing change it after it was bound, or pass what was learned as a column"
                )
                self._fault("graph.not-carried", what, hint)

    def _fault(self, code: str, what: str, hint: str = "") -> None:
        self.faults.append((code, what, hint))


def _bound_by(statement: Statement) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [_alias(one) for one in statement.names]
    return [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del)
    ]


def _alias(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _names(statement: Statement) -> list[str]:
    """What is looked up outside when the statement, and what it defines, is run."""
    made = ast.Module([statement], [])
    flags = __future__.annotations.compiler_flag
    return list(dict.fromkeys(_looked_up(compile(made, "", "exec", flags, dont_inherit=True))))


def _looked_up(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in _LOOKUPS:
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _looked_up(constant)


def _absolute(statement: ast.ImportFrom, module: str) -> str:
    if not statement.level:
        return statement.module or ""
    package = getattr(sys.modules[module], "__package__", "") or ""
    return importlib.util.resolve_name("." * statement.level + (statement.module or ""), package)


@cache
def _installations() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple({Path(paths[name]).resolve() for name in ("purelib", "platlib")})


def _is_installed(path: str) -> bool:
    return any(Path(path).resolve().is_relative_to(place) for place in _installations())


def _folded(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _is_same(made: Any, live: Any) -> bool:
    """Of values as a program sees them; what cannot be told to be the same is not."""
    if type(made) is not type(live) and not isinstance(live, type):
        return False
    if isinstance(live, _PLAIN):
        return repr(made) == repr(live)
    if isinstance(live, list | tuple):
        return len(made) == len(live) and all(map(_is_same, made, live))
    if isinstance(live, set | frozenset):
        return bool(made == live)
    if isinstance(live, Mapping):
        keys = list(live)
        return list(made) == keys and all(_is_same(made[key], live[key]) for key in keys)
    if isinstance(live, FunctionType):
        defaults = [(one.__defaults__, one.__kwdefaults__) for one in (made, live)]
        return _same_code(made.__code__, live.__code__) and _is_same(*defaults)
    if isinstance(live, type):
        return isinstance(made, type) and made.__name__ == live.__name__
    if hasattr(live, "tobytes") and hasattr(live, "dtype") and live.dtype != object:
        return bool(
            made.dtype == live.dtype
            and made.shape == live.shape
            and made.tobytes() == live.tobytes()
        )
    return repr(made) == repr(live) and " at 0x" not in repr(live)


def _same_code(made: CodeType, live: CodeType) -> bool:
    if (made.co_code, made.co_names) != (live.co_code, live.co_names):
        return False
    pairs = list(zip(made.co_consts, live.co_consts, strict=False))
    return len(made.co_consts) == len(live.co_consts) and all(
        _same_code(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else _is_same(a, b)
        for a, b in pairs
    )
