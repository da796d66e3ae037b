"""The budgets of the code, as contributing/code.md states them."""

import ast
import re
import statistics
from importlib.metadata import distribution
from pathlib import Path

import pytest

from freehold.domain.embedded import EMBEDDED

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    path for path in (ROOT / "freehold").rglob("*.py") if "templates" not in path.parts
)
TREES = {path: ast.parse(path.read_text()) for path in SOURCES}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "base", "misc"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> list[tuple[Path, Function]]:
    return [
        (path, node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def percentile(values: list[int], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def test_no_file_is_longer_than_500_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCES}
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > 500} == {}
    assert statistics.median(lengths.values()) <= 120
    assert percentile(list(lengths.values()), 0.9) <= 300


def test_no_function_is_longer_than_80_lines() -> None:
    lengths = [(length(node), path.name, node.name) for path, node in functions()]
    assert [found for found in lengths if found[0] > 80] == []
    assert percentile([found[0] for found in lengths], 0.95) <= 40


def test_no_function_has_more_than_8_parameters() -> None:
    def count(node: Function) -> int:
        names = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        return len([name for name in names if name.arg not in ("self", "cls")])

    assert [(p.name, n.name, count(n)) for p, n in functions() if count(n) > 8] == []


def test_a_port_has_at_most_7_methods() -> None:
    found = {}
    for path in (ROOT / "freehold" / "ports").glob("*.py"):
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.ClassDef):
                abstract = [
                    item
                    for item in node.body
                    if isinstance(item, ast.FunctionDef)
                    and any("abstractmethod" in ast.dump(d) for d in item.decorator_list)
                ]
                if len(abstract) > 7:
                    found[node.name] = len(abstract)
    assert found == {}


def test_the_top_offers_at_most_25_names() -> None:
    import freehold

    assert len([name for name in freehold.__all__ if not name.startswith("_")]) <= 25


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for_and_has_a_noun_for_a_name(path: Path) -> None:
    assert ast.get_docstring(TREES[path]), f"{path} has no docstring"
    assert not FORBIDDEN_NAMES & {part.removesuffix(".py") for part in path.parts}


def test_every_package_of_modules_is_a_package() -> None:
    folders = {path.parent for path in SOURCES}
    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()] == []


def test_no_engine_is_named_outside_its_adapter() -> None:
    """Names of engines stand in adapters, entry points, documentation and tests only."""
    engines = ("lightgbm", "mlflow", "sqlite", "regopy", "onnxruntime", "cyclonedx", "onnxmltools")
    engines += ("xgboost", "sklearn", "skops", "torch")
    allowed = ("adapters",)
    found = [
        f"{path.relative_to(ROOT)}: {engine}"
        for path in SOURCES
        if not set(allowed) & set(path.parts)
        for engine in engines
        if f"import {engine}" in path.read_text() or f"from {engine}" in path.read_text()
    ]
    assert found == []


def test_embedded_defaults_are_named_in_one_place() -> None:
    """Names of adapters stand in `domain/embedded.py`; whoever wants one asks for the port's."""
    pattern = re.compile(r'adapters\.load\("[a-z_]+", "')
    assert [str(p.relative_to(ROOT)) for p in SOURCES if pattern.search(p.read_text())] == []
    declared = {(entry.group, entry.name) for entry in distribution("freehold").entry_points}
    assert {(f"freehold.{port}", name) for port, name in EMBEDDED.items()} <= declared
