"""The same table and suites, evaluated by us and by Great Expectations: do the verdicts agree?"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.peers.setup import run
from freehold.catalog.contracts import evaluate, parse

_ROWS = 2_000
_QUANTILES = [0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 1.0]
_BOUNDS = (
    {"min_value": -40, "max_value": 40},
    {"min_value": 0},
    {"max_value": 0.5},
    {"min_value": 0, "max_value": 99, "strict_min": True},
    {"min_value": 0, "max_value": 99, "strict_max": True},
    {"min_value": -1000, "max_value": 1000, "strict_min": True, "strict_max": True},
)
# With a time, since Great Expectations reads a plain date as one, and cannot compare a column of
# times with it.
_TIMES = (
    {"min_value": "2013-01-01T00:00:00", "max_value": "2013-12-31T00:00:00"},
    {"min_value": "2013-03-01T12:00:00"},
    {"max_value": "2013-03-01T00:00:00", "strict_max": True},
)
_TYPES = ("int64", "float64", "int", "float", "bool", "str")


def table() -> pl.DataFrame:
    """Numbers, texts, times and truths; with repeats, nulls and NaN, a whole column of nulls."""
    random = np.random.default_rng(7)
    holes = random.choice(_ROWS, 40, replace=False)
    floats = pl.Series(random.normal(0, 30, _ROWS)).scatter(holes, None)
    texts = pl.Series(random.choice(["EWR", "JFK", "LGA", "N14228", "", "b2"], _ROWS))
    minutes = pl.Series(random.integers(0, 300 * 24 * 60, _ROWS))
    return pl.DataFrame(
        {
            "key": random.permutation(_ROWS),
            "whole": random.integers(0, 100, _ROWS),
            "real": floats.scatter(random.choice(_ROWS, 20, replace=False), float("nan")),
            "text": texts.scatter(holes, None),
            "moment": pl.select(
                pl.lit(datetime(2013, 1, 1)) + pl.duration(minutes=pl.lit(minutes))
            ).to_series(),
            "truth": random.random(_ROWS) < 0.5,
            "nothing": pl.Series([None] * _ROWS, dtype=pl.Float64),
        }
    )


def expectations() -> list[tuple[str, dict[str, Any]]]:
    """Every kind, on every column that it can be asked of, holding and failing."""
    asked: list[tuple[str, dict[str, Any]]] = []
    columns = ("key", "whole", "real", "text", "moment", "truth", "nothing")
    for column in columns:
        on = {"column": column}
        asked.append(("expect_column_to_exist", on))
        for mostly in ({}, {"mostly": 0.97}, {"mostly": 0.99}):
            asked.append(("expect_column_values_to_not_be_null", on | mostly))
        for mostly in ({}, {"mostly": 0.0}, {"mostly": 0.01}):
            asked.append(("expect_column_values_to_be_unique", on | mostly))
        for limits in ({"min_value": 0.5}, {"max_value": 0.02}, {"max_value": 1}):
            kind = "expect_column_proportion_of_unique_values_to_be_between"
            asked.append((kind, on | limits))
        asked += [("expect_column_values_to_be_of_type", on | {"type_": t}) for t in _TYPES]
        kind = "expect_column_values_to_be_in_type_list"
        # Without `str`, which Great Expectations takes alone but not in a list, on pandas 3.
        asked += [(kind, on | {"type_list": [t, "bool"]}) for t in _TYPES[:4]]
    asked.append(("expect_column_to_exist", {"column": "absent"}))
    asked.append(("expect_column_to_exist", {"column": "text", "column_index": 3}))
    asked.append(("expect_column_to_exist", {"column": "text", "column_index": 2}))
    return asked + _on_numbers() + _on_texts() + _on_moments() + _on_rows()


def _on_numbers() -> list[tuple[str, dict[str, Any]]]:
    asked: list[tuple[str, dict[str, Any]]] = []
    for column in ("key", "whole", "real", "nothing"):
        on = {"column": column}
        for limits in _BOUNDS:
            asked.append(("expect_column_values_to_be_between", on | limits))
            asked.append(("expect_column_values_to_be_between", on | limits | {"mostly": 0.9}))
            asked.append(("expect_column_mean_to_be_between", on | limits))
            asked.append(("expect_column_max_to_be_between", on | limits))
        members = {"value_set": [*range(99), 2.5, "LGA"]}
        asked.append(("expect_column_values_to_be_in_set", on | members))
        asked.append(("expect_column_values_to_be_in_set", on | members | {"mostly": 0.9}))
        for low in (-200.0, 0.0, 20.0):
            ranges = [[low, None], [None, 60], [0, 60], [0, 60], [0, 75], [0, 95], [0, 2000]]
            wanted = {"quantile_ranges": {"quantiles": _QUANTILES, "value_ranges": ranges}}
            asked.append(("expect_column_quantile_values_to_be_between", on | wanted))
    return asked


def _on_texts() -> list[tuple[str, dict[str, Any]]]:
    asked: list[tuple[str, dict[str, Any]]] = []
    on = {"column": "text"}
    for mostly in ({}, {"mostly": 0.3}):
        for values in (["EWR", "JFK", "LGA", "N14228", "", "b2"], ["EWR", 7], ["none"]):
            asked.append(("expect_column_values_to_be_in_set", on | mostly | {"value_set": values}))
        for regex in ("R", "^N[0-9]{5}$", "^[A-Z]{3}$", r"\d", ".*", "^$"):
            asked.append(("expect_column_values_to_match_regex", on | mostly | {"regex": regex}))
    asked.append(("expect_column_values_to_match_regex", {"column": "whole", "regex": "^[0-9]$"}))
    return asked


def _on_moments() -> list[tuple[str, dict[str, Any]]]:
    asked: list[tuple[str, dict[str, Any]]] = []
    for limits in _TIMES:
        for kind in ("expect_column_values_to_be_between", "expect_column_max_to_be_between"):
            asked.append((kind, {"column": "moment"} | limits))
    return asked


def _on_rows() -> list[tuple[str, dict[str, Any]]]:
    kind = "expect_table_row_count_to_be_between"
    limits = ({"min_value": _ROWS}, {"min_value": _ROWS, "strict_min": True}, {"max_value": 1})
    return [(kind, limit) for limit in limits]


def disagreements(folder: Path) -> tuple[int, list[str]]:
    """How many expectations both evaluated, and what differs: verdict, count of unexpected rows,
    or, where one fails, the first five of those."""
    frame = table()
    parquet, suite = folder / "agreement.parquet", folder / "agreement.json"
    frame.write_parquet(parquet)
    text = json.dumps(
        {
            "name": "agreement",
            "expectations": [
                {"type": kind, "kwargs": kwargs, "meta": {"position": position}}
                for position, (kind, kwargs) in enumerate(expectations())
            ],
        }
    )
    suite.write_text(text)
    lines = run("gx", [str(parquet), str(suite), "0"], state=folder)
    theirs = {v["position"]: v for v in (line.get("verdict") for line in lines) if v is not None}
    results = evaluate(parse(text, suite.name), frame).results
    different: list[str] = []
    for position, ours in enumerate(results):
        peer = theirs[position]
        mine = {
            "position": position,
            "success": ours.success,
            "unexpected": ours.unexpected,
            "rows": [item.row for item in ours.sample],
        }
        if ours.success or peer["rows"] is None:
            peer, mine = peer | {"rows": []}, mine | {"rows": []}
        else:
            peer = peer | {"rows": peer["rows"][:5]}
        if peer != mine:
            different.append(f"{ours.expectation}: {peer} there, {mine} {ours.problem} here")
    return len(results), different
