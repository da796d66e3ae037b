"""The product's source files, read as text: what the pages are made from."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "freehold"


@dataclass(frozen=True)
class Source:
    path: Path
    tree: ast.Module

    @property
    def place(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.tree) or ""


def read(path: Path) -> Source:
    return Source(path, ast.parse(path.read_text()))


def sources() -> list[Source]:
    apart = (PRODUCT / "templates", PRODUCT / "ports" / "contracts")
    return [
        read(path)
        for path in sorted(PRODUCT.rglob("*.py"))
        if not any(path.is_relative_to(folder) for folder in apart)
    ]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def callee(call: ast.Call) -> str:
    """`Fault` of `Fault(...)`, `tell` of `self.events.tell(...)`."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def assigned(name: str, body: ast.AST, line: int) -> ast.expr | None:
    """What a name was last given before a line of a function or module."""
    found = [
        node
        for node in ast.walk(body)
        if isinstance(node, ast.Assign)
        and node.lineno <= line
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    return max(found, key=lambda node: node.lineno).value if found else None


def table(columns: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
