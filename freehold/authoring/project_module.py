"""A module of the project, as its file says it: what it binds, and what each statement needs."""

import __future__

import ast
import dis
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

from freehold.authoring.sameness import functions_in, same_code

_LOOKUPS = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS")
_BINDING = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AnnAssign,
)


@dataclass
class ProjectModule:
    """Of the project, parsed."""

    name: str
    lines: Sequence[str]
    bound: dict[str, ast.stmt] = field(default_factory=dict)
    unsteady: set[str] = field(default_factory=set)
    """Names that are bound twice, or under a condition."""
    codes: dict[str, list[CodeType]] = field(default_factory=dict)
    """Of functions and classes, by qualified name: what the file says now."""

    @classmethod
    def read(cls, module: ModuleType) -> "ProjectModule":
        """Raises OSError, SyntaxError."""
        text = inspect.getsource(module)
        made = cls(module.__name__, text.splitlines(keepends=True))
        for name, code in _codes(compile(text, "", "exec", dont_inherit=True)):
            made.codes.setdefault(name, []).append(code)
        for statement in ast.parse(text).body:
            plain = isinstance(statement, _BINDING)
            for name in bound_by(statement):
                if name in made.bound or not plain:
                    made.unsteady.add(name)
                made.bound[name] = statement
        return made

    def says(self, live: Any) -> bool:
        """Whether a function, or a class's, is the one that stands in the file."""
        if isinstance(live, type):
            within = [name.rpartition(".") for name in self.codes]
            names = [name for owner, _, name in within if owner == live.__qualname__]
            return all(self._has(live, name) for name in names if name.isidentifier())
        live = inspect.unwrap(live) if callable(live) else live
        if not isinstance(live, FunctionType) or live.__name__ == "<lambda>":
            return True
        return any(same_code(code, live.__code__) for code in self.codes.get(live.__qualname__, []))

    def _has(self, owner: type, name: str) -> bool:
        found = functions_in(vars(owner).get(name))
        says = self.codes[f"{owner.__qualname__}.{name}"]
        return all(any(same_code(code, one.__code__) for code in says) for one in found)

    def text(self, statement: ast.stmt) -> str:
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(one.lineno for one in decorators)])
        own = "".join(self.lines[first - 1 : statement.end_lineno])
        try:
            alone = len(ast.parse(own).body) == 1
        except SyntaxError:
            alone = False
        return own.rstrip() if alone else ast.unparse(statement)


def bound_by(statement: ast.stmt) -> list[str]:
    places: Sequence[ast.AST] = [statement]
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Import() | ast.ImportFrom():
            return [alias_of(one) for one in statement.names]
        case ast.Assign():
            places = statement.targets
        case ast.AnnAssign():
            places = [] if statement.value is None else [statement.target]
    return [
        node.id
        for place in places
        for node in ast.walk(place)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del)
    ]


def alias_of(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def names_in(statement: ast.stmt) -> list[str]:
    """What is looked up outside when the statement, and what it defines, is run."""
    made = ast.Module([statement], [])
    flags = __future__.annotations.compiler_flag
    return list(dict.fromkeys(_looked_up(compile(made, "", "exec", flags, dont_inherit=True))))


def _looked_up(code: CodeType) -> Iterator[str]:
    instructions = list(dis.get_instructions(code))
    # What a class's body binds, it finds there.
    own = {one.argval for one in instructions if one.opname == "STORE_NAME"}
    for instruction in instructions:
        if instruction.opname in _LOOKUPS and instruction.argval not in own:
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _looked_up(constant)


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname, constant
            yield from _codes(constant)
