"""Contracts at the gate: what tables they may be held against, and what stands of them for ever."""

import json
from typing import Any

import polars as pl
import pytest

from freehold.adapters.polars.codec import PolarsCodec
from freehold.app.contract.gate import may_be_table

SECRET = "for Ada, hunter2"


class DataFrame:
    """Of no library of tables."""


@pytest.mark.parametrize("kind", [pl.DataFrame, pl.DataFrame | None, Any, object])
def test_these_may_be_tables(kind: Any) -> None:
    assert may_be_table(kind)


@pytest.mark.parametrize(
    "kind", [int, str, None, list[int], pl.Series, pl.LazyFrame, DataFrame, int | None]
)
def test_these_are_none(kind: Any) -> None:
    assert not may_be_table(kind)


@pytest.mark.parametrize(("name", "stands"), [("numbers", True), (SECRET, False)])
def test_a_suites_name_stands_in_a_fact_only_if_it_is_a_code(
    project: Any, name: str, stands: bool
) -> None:
    project.change("contracts/numbers.json", '"name": "numbers"', f'"name": {json.dumps(name)}')
    said = project.freehold("run", "--yes", "--json")
    (fact,) = [one for one in project.entries() if one["type"] == "contract.checked"]
    assert fact["body"].get("name") == (name if stands else None)
    assert SECRET not in json.dumps(project.entries())
    assert said.json["contracts"][0]["contract"] == name


def test_a_table_that_cannot_be_read_is_an_error_of_ours(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that were stored as a table and are none."""
    monkeypatch.setattr(PolarsCodec, "encode", lambda *_: b"PAR1 and nothing")
    said = project.freehold("run", "--yes", "--json")
    assert said.code == 1
    error = said.json["error"]
    assert error["code"] == "contract.unreadable-table"
    assert "'numbers'" in error["what"]
    assert error["because"]
    assert error["hint"]
