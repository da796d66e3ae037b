"""Which modules a step reaches."""

import pytest

from freehold.running.code import Code, reached

SOURCES = {
    "steps": b"import polars\nfrom cleaning import rules\nfrom cleaning.words import WORDS",
    "cleaning": b"from . import rules",
    "cleaning.rules": b"from .words import WORDS\nfrom ..outside import nothing",
    "cleaning.words": b"WORDS = []",
    "lazy": b"def f():\n    import far\n    from deep.down import thing",
    "far": b"import near",
    "near": b"import far",
    "deep": b"",
    "deep.down": b"thing = 1",
    "named": b"from importlib import import_module\nimport_module('far')\n__import__('deep.down')",
    "alone": b"import os",
    "stars": b"from cleaning.words import *",
    "outside": b"",
}


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("steps", {"steps", "cleaning", "cleaning.rules", "cleaning.words"}),
        ("cleaning.words", {"cleaning", "cleaning.rules", "cleaning.words"}),
        ("lazy", {"lazy", "far", "near", "deep", "deep.down"}),
        ("named", {"named", "far", "near", "deep", "deep.down"}),
        ("alone", {"alone"}),
        ("stars", {"stars", "cleaning", "cleaning.rules", "cleaning.words"}),
        ("installed.elsewhere", set()),
    ],
)
def test_imports_are_followed_within_the_project(module: str, found: set[str]) -> None:
    assert set(reached(module, SOURCES)) - {"outside"} == found


def test_the_digest_follows_every_module_that_is_reached_and_no_other() -> None:
    before = {module: Code(SOURCES).digest(module) for module in SOURCES}
    for changed in SOURCES:
        code = Code({**SOURCES, changed: SOURCES[changed] + b"\n# changed"})
        for module in SOURCES:
            differs = code.digest(module) != before[module]
            assert differs == (changed in reached(module, SOURCES)), (changed, module)
