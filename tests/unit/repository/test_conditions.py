"""That correctness rests on no conditional write: nobody but the doctor's probe may ask for one."""

import ast
from pathlib import Path

import pytest

from freehold.ports.object_store import ComparesAndSets, CreatesOnce

ROOT = Path(__file__).parents[3] / "freehold"
ABILITIES = {CreatesOnce.__name__, ComparesAndSets.__name__}
PROBE = Path("app/site/abilities.py")
DECLARE = {"adapters", "ports"}
"""Rooms that say what a store can do; all others would use it."""


def named(path: Path) -> set[str]:
    """Of the two abilities, those that stand in a file's code, as a name or as a text."""
    tree = ast.walk(ast.parse(path.read_text()))
    found = set()
    for node in tree:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found.add(name)
            case ast.Constant(value=str(name)):
                found.add(name)
    return found & ABILITIES


def files(*rooms: str) -> list[Path]:
    found = sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))
    assert found
    return found


def test_replication_uses_neither_conditional_ability() -> None:
    assert {str(path): names for path in files("replication") if (names := named(path))} == {}


def test_of_all_that_uses_stores_only_the_probe_of_abilities_asks_for_one() -> None:
    rooms = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in DECLARE]
    users = {path.relative_to(ROOT) for path in files(*rooms) if named(path)}
    assert users == {PROBE}


@pytest.mark.parametrize(
    "code",
    [
        "from freehold.ports.object_store import CreatesOnce",
        "from freehold.ports import object_store\nobject_store.ComparesAndSets",
        "getattr(module, 'CreatesOnce')",
    ],
)
def test_it_would_be_seen(code: str, tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(code)
    assert named(path)
