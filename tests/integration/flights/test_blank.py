"""The smallest project: its pipeline and its contract, with the core install alone."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import freehold
from freehold.catalog.contracts.evaluation import evaluate
from freehold.catalog.contracts.suite import parse

BLANK = Path(freehold.__file__).parent / "templates" / "blank"


@pytest.fixture
def readings() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BLANK))
    try:
        yield import_module("readings")
    finally:
        sys.path.remove(str(BLANK))
        sys.modules.pop("readings", None)


def test_it_sums_up_its_table(readings: ModuleType) -> None:
    table = readings.readings()
    assert readings.daily(table).height == 8
    assert readings.summary() == {"days": 4, "coldest": 19.45, "warmest": 21.825}


def test_its_pipeline_and_contract_hold(readings: ModuleType) -> None:
    readings.summary.trace().check()
    suite = BLANK / "contracts" / "readings.json"
    assert evaluate(parse(suite.read_bytes(), suite.name), readings.readings()).failures == ()


def test_it_imports_nothing_beyond_the_core() -> None:
    source = (BLANK / "readings.py").read_text()
    imports = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert imports == [
        "from pathlib import Path",
        "import polars as pl",
        "from freehold import pipeline, step",
    ]
