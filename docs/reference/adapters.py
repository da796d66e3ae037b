"""adapters.md, from the ports' docstrings, the entry points and the adapters' READMEs."""

import ast
import re
import tomllib
from pathlib import Path

from docs.reference.sources import PRODUCT, ROOT, Source, read, table

_ABILITY = re.compile(r"[A-Z][a-z]+s([A-Z][a-z]+)*|LocalPaths")
WRAPPERS = {"object_store": "store_encryption"}
"""Port → group of what is put around any of its adapters."""
HEAD = """\
# Ports and adapters

A port is what Freehold asks of the world; an adapter answers it. Adapters are found by entry point,
by name: `engine: subprocess` in `freehold.yaml`. Each port has laws and, where more than one
adapter may answer, a suite of tests in `freehold/ports/contracts/` that anyone can run against an
adapter of their own.

"""


def page() -> str:
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    groups = {group.removeprefix("freehold."): names for group, names in entries.items()}
    ports = [read(path) for path in sorted((PRODUCT / "ports").glob("*.py"))]
    return HEAD + "\n".join(
        _section(
            port, groups.get(port.path.stem, {}), groups.get(WRAPPERS.get(port.path.stem, ""), {})
        )
        for port in ports
        if port.path.stem != "__init__"
    )


def _section(port: Source, adapters: dict[str, str], wrappers: dict[str, str]) -> str:
    name = port.path.stem
    parts = [f"## {name}\n\n{_laws(port.docstring)}\n"]
    abilities = [
        f"`{node.name}`: {_line(ast.get_docstring(node) or '')}"
        for node in port.tree.body
        if isinstance(node, ast.ClassDef) and _is_ability(node, name)
    ]
    if abilities:
        parts.append("\nAn adapter may also be\n\n" + "".join(f"- {one}\n" for one in abilities))
    suite = PRODUCT / "ports" / "contracts" / port.path.name
    if suite.exists():
        parts.append(f"\nSuite: `{suite.relative_to(ROOT).as_posix()}`.\n")
    if adapters:
        rows = [[f"`{key}`", _folder(where), _readme(where)] for key, where in adapters.items()]
        parts.append("\n" + table(["name", "folder", "what it is"], rows) + "\n")
    if wrappers:
        rows = [[f"`{key}`", _folder(where), _readme(where)] for key, where in wrappers.items()]
        parts.append(f"\nAround any of them:\n\n{table(['name', 'folder', 'what it is'], rows)}\n")
    return "".join(parts)


def _laws(docstring: str) -> str:
    """The docstring as Markdown: what stands after "Laws" is a list already."""
    return re.sub(r"^Laws\n", "Laws\n\n", docstring, flags=re.MULTILINE)


def _is_ability(node: ast.ClassDef, port: str) -> bool:
    """An optional ability has no state to open: its name is what the adapter does."""
    if node.name.lower() == port:
        return False
    is_abstract = any(ast.unparse(parent) == "ABC" for parent in node.bases)
    return is_abstract and bool(_ABILITY.fullmatch(node.name))


def _folder(where: str) -> str:
    return f"`{'/'.join(where.partition(':')[0].split('.')[:-1])}`"


def _readme(where: str) -> str:
    """Its README's first paragraph, or its module's docstring where it has none."""
    module = Path(*where.partition(":")[0].split("."))
    readme = ROOT / module.parent / "README.md"
    if readme.exists():
        return _line(readme.read_text().partition("\n\n")[2])
    return _line(read(ROOT / module.with_suffix(".py")).docstring)


def _line(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())
