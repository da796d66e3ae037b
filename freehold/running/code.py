"""Which modules of the project a step reaches, and the digest of their sources."""

import ast
from collections.abc import Iterator, Mapping
from hashlib import sha256

from freehold.domain.canonical import digest_of


class Code:
    """The project's modules. Each is parsed once."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        """`sources`: dotted name → bytes; a package's `__init__` goes by the package's name."""
        self._sources = sources
        self._packages = {name.rpartition(".")[0] for name in sources if "." in name}
        self._imports: dict[str, frozenset[str]] = {}
        self._reached: dict[str, tuple[str, ...]] = {}
        self._digests: dict[str, str] = {}

    def reached(self, module: str) -> tuple[str, ...]:
        """The module and all that it imports from the project, transitively, sorted.

        Imports are seen wherever they stand in the source, in functions too, and so is
        `import_module` with its name written out. What is imported by a computed name is not.
        """
        if module not in self._reached:
            seen: set[str] = set()
            waiting = [*self._present(module)]
            while waiting:
                name = waiting.pop()
                if name not in seen:
                    seen.add(name)
                    waiting += self._imports_of(name)
            self._reached[module] = tuple(sorted(seen))
        return self._reached[module]

    def digest(self, module: str) -> str:
        """Of the sources of all modules that `module` reaches."""
        if module not in self._digests:
            self._digests[module] = digest_of(
                {name: sha256(self._sources[name]).hexdigest() for name in self.reached(module)}
            )
        return self._digests[module]

    def _imports_of(self, name: str) -> frozenset[str]:
        if name not in self._imports:
            package = name if name in self._packages else name.rpartition(".")[0]
            found: set[str] = set()
            for target in _imported(ast.parse(self._sources[name]), package):
                found.update(self._present(target))
            self._imports[name] = frozenset(found)
        return self._imports[name]

    def _present(self, name: str) -> Iterator[str]:
        """Those of a dotted name and the packages around it that the project holds."""
        while name:
            if name in self._sources:
                yield name
            name = name.rpartition(".")[0]


def reached(module: str, sources: Mapping[str, bytes]) -> tuple[str, ...]:
    """See `Code.reached`."""
    return Code(sources).reached(module)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, package)
            yield origin
            for alias in node.names:
                yield f"{origin}.{alias.name}" if origin else alias.name
        elif isinstance(node, ast.Call) and _is_import_call(node.func) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    around = parts[: len(parts) - node.level + 1]
    return ".".join([*around, *([node.module] if node.module else [])])


def _is_import_call(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr == "import_module"
    return isinstance(function, ast.Name) and function.id in ("import_module", "__import__")
