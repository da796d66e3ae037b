"""stores.md, from the tests of the object stores: the suites they inherit and their marks."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from docs.reference.sources import PRODUCT, ROOT, read, table

SUITES = PRODUCT / "ports" / "contracts"
TESTS = ROOT / "tests" / "contracts"
ABILITIES = {
    "ObjectsContract": "put, get, delete",
    "RangesContract": "ranges",
    "ListingContract": "sorted pages",
    "ConcurrencyContract": "many at once",
    "MovesFilesContract": "files by parts",
    "PutsTogetherContract": "many in one go",
    "CreatesOnceContract": "create once",
    "ComparesAndSetsContract": "compare and set",
    "SignsUrlsContract": "signed URLs",
    "LocalPathsContract": "local paths",
}
HEAD = """\
# What each object store can do

Made from the tests. `yes`: the adapter passes the suite of that ability on that server. `no`, `yes,
but`: most of the suite, or some of it, fails for the reason given below, and a test shows that it
does. `–`: the adapter has no such ability. Correctness rests on none of the abilities that only
some have. What your own store honours, `freehold doctor` finds out by trying.

"""


@dataclass(frozen=True)
class Tested:
    adapter: str
    server: str
    suites: frozenset[str]
    gaps: dict[str, str]
    """Test → why it fails."""


def page() -> str:
    suites = _tests_of_suites()
    rows, notes = [], []
    for one in sorted(_tested(), key=lambda one: (one.adapter, one.server)):
        row = [f"`{one.adapter}`", one.server]
        for suite in ABILITIES:
            reasons = [why for test, why in one.gaps.items() if test in suites[suite]]
            numbers = []
            for reason in dict.fromkeys(reasons):
                if (one.server, reason) not in notes:
                    notes.append((one.server, reason))
                numbers.append(f"[{notes.index((one.server, reason)) + 1}]")
            most = 2 * len(reasons) > len(suites[suite])
            row.append(_cell(suite in one.suites, most, numbers))
        rows.append(row)
    listed = "".join(
        f"{number}. {server}: {reason}\n" for number, (server, reason) in enumerate(notes, 1)
    )
    heads = ["adapter", "tested on", *ABILITIES.values()]
    return f"{HEAD}{table(heads, rows)}\n\n## Why not\n\n{listed}"


def _cell(has_suite: bool, most: bool, numbers: list[str]) -> str:
    if not has_suite:
        return "–"
    if not numbers:
        return "yes"
    return " ".join(["no" if most else "yes, but", *numbers])


def _tests_of_suites() -> dict[str, set[str]]:
    return {
        node.name: {one.name for one in _functions(node) if one.name.startswith("test_")}
        for path in sorted(SUITES.glob("object_store*.py"))
        for node in _classes(path).values()
    }


def _tested() -> list[Tested]:
    return [
        _read(node, known)
        for path in sorted(TESTS.glob("test_object_store*.py"))
        for known in [_classes(path)]
        for node in known.values()
        if node.name.startswith("Test") and _constant(node, known, "adapter")
    ]


def _read(node: ast.ClassDef, known: dict[str, ast.ClassDef]) -> Tested:
    return Tested(
        _constant(node, known, "adapter"),
        _constant(node, known, "server"),
        frozenset(_suites(node, known)),
        _gaps(node, known),
    )


def _gaps(node: ast.ClassDef, known: dict[str, ast.ClassDef]) -> dict[str, str]:
    """Its own, and those of the suites beside it that it is made of."""
    found: dict[str, str] = {}
    for base in reversed([known[name] for name in map(ast.unparse, node.bases) if name in known]):
        found |= _gaps(base, known)
    own = {one.name: _reason(one, known[""]) for one in _functions(node)}
    return {test: why for test, why in (found | own).items() if why}


def _classes(path: Path) -> dict[str, ast.ClassDef]:
    """By name; under no name, a class of what the module's top assigns."""
    tree = read(path).tree
    found = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    top: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.Assign)]
    return found | {"": ast.ClassDef(name="", bases=[], keywords=[], body=top, decorator_list=[])}


def _functions(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [one for one in node.body if isinstance(one, ast.FunctionDef)]


def _suites(node: ast.ClassDef, known: dict[str, ast.ClassDef]) -> set[str]:
    found: set[str] = set()
    for base in map(ast.unparse, node.bases):
        found |= _suites(known[base], known) if base in known else _required(base)
    return found


def _required(name: str) -> set[str]:
    """ObjectStoreContract stands for the suites that it is made of."""
    contract = _classes(SUITES / "object_store.py").get(name)
    if contract is None or name in ABILITIES:
        return {name}
    return {ast.unparse(base) for base in contract.bases}


def _constant(node: ast.ClassDef, known: dict[str, ast.ClassDef], name: str) -> str:
    for one in node.body:
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == name:
            return str(ast.literal_eval(one.value))
    inherited = (known[base] for base in map(ast.unparse, node.bases) if base in known)
    return next(filter(None, (_constant(one, known, name) for one in inherited)), "")


def _reason(test: ast.FunctionDef, top: ast.ClassDef) -> str:
    """Of its strict expected failure, without the word for whose gap it is; empty if none."""
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.xfail":
            given = {word.arg: word.value for word in mark.keywords}
            reason = given["reason"]
            if isinstance(reason, ast.Name):
                return _constant(top, {}, reason.id)
            return re.sub(r"\s+", " ", str(ast.literal_eval(reason)))
    return ""
