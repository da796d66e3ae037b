"""Which modules of ours, and which other libraries, some modules need: by their import statements.

Read, not run: what a module imports only when it is asked for something is found too.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from sys import stdlib_module_names

OWN = "freehold"


@dataclass(frozen=True)
class Closure:
    files: tuple[str, ...]
    """Relative to the folder that our package lies in: `freehold/domain/fact.py`; sorted."""
    libraries: frozenset[str]
    """What is imported of others: `numpy`, `google.cloud.storage`; its end may be no module."""
    optional: frozenset[str]
    """Those that are imported only where it may fail."""

    def with_libraries(self, names: Iterable[str]) -> "Closure":
        return replace(self, libraries=self.libraries | set(names))


def closure(root: Path, modules: Iterable[str]) -> Closure:
    """Of these modules and all of ours that they import. `root`: the folder with our package.

    Raises FileNotFoundError for a module that is not there.
    """
    waiting, seen = list(modules), dict[str, Path]()
    required, optional = set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen[name] = _source(root, name)
        parent = name.rpartition(".")[0]
        waiting += [parent] if parent else []
        for imported, attributes, is_sure in _imports(ast.parse(seen[name].read_bytes())):
            top = imported.partition(".")[0]
            if top == OWN:
                named = (f"{imported}.{one}" for one in attributes)
                waiting += [imported, *(one for one in named if _is_module(root, one))]
            elif top not in stdlib_module_names:
                taken = [f"{imported}.{one}" for one in attributes] or [imported]
                (required if is_sure else optional).update(taken)
    files = sorted(path.relative_to(root).as_posix() for path in seen.values())
    return Closure(tuple(files), frozenset(required), frozenset(optional - required))


def _source(root: Path, module: str) -> Path:
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _is_module(root: Path, module: str) -> bool:
    return _source(root, module).is_file()


def _imports(node: ast.AST, is_sure: bool = True) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Module, the names taken from it, and whether the import may not fail. Those for type checkers
    alone are left out; ours are never relative."""
    if isinstance(node, ast.Import):
        yield from ((one.name, (), is_sure) for one in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        yield node.module, tuple(one.name for one in node.names), is_sure
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        for other in node.orelse:
            yield from _imports(other, is_sure)
    elif isinstance(node, ast.Try):
        for tried in node.body:
            yield from _imports(tried, False)
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            yield from _imports(part, is_sure)
    else:
        for below in ast.iter_child_nodes(node):
            yield from _imports(below, is_sure)
