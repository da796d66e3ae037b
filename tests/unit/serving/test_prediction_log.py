"""Rows of many requests become one table, whatever each of them carried."""

from io import BytesIO
from typing import Any

import polars as pl

from freehold.serving.prediction_log import Batch, agreeing, inputs_of, log_part, log_table


def batch(**more: Any) -> Batch:
    whole: dict[str, Any] = {
        "prediction_ids": ["p1", "p2"],
        "request_id": "r",
        "at": 1_700_000_000_000_000,
        "asked_at": 1_364_774_400_000_000,
        "model": "m",
        "version": 1,
        "alias": "champion",
        "routing": 3,
        "score": [0.1, 0.2],
        "reference_score": None,
        "latency_us": 12.5,
        "reference_latency_us": None,
        "error": None,
        "inputs": {"x": [1, None], "c": ["a", None]},
        "kinds": {"x": "number", "c": "category"},
    }
    return Batch(**{**whole, **more})


def test_batches_of_unlike_columns_stand_in_one_table() -> None:
    other = batch(
        prediction_ids=["p3"],
        score=None,
        error="endpoint.model-failed",
        inputs={"y": [2**63]},
        kinds={"y": "number"},
    )
    table = log_table([batch(), other])
    assert table["prediction_id"].to_list() == ["p1", "p2", "p3"]
    assert table["score"].to_list() == [0.1, 0.2, None]
    assert table["error"].to_list() == [None, None, "endpoint.model-failed"]
    for name, micros in (("at", 1_700_000_000_000_000), ("asked_at", 1_364_774_400_000_000)):
        assert table[name].dtype == pl.Datetime("us", "UTC")
        assert table[name].dt.epoch("us").unique().to_list() == [micros]
    assert inputs_of(table).to_dict(as_series=False) == {
        "c": ["a", None, None],
        "x": [1.0, None, None],
        "y": [None, None, 2.0**63],
    }


def test_a_column_that_only_held_nulls_keeps_its_type() -> None:
    table = log_table([batch(inputs={"x": [None, None], "c": [None, None]})])
    assert (table["input_x"].dtype, table["input_c"].dtype) == (pl.Float64, pl.String)


def test_a_column_named_like_ours_does_not_meet_it() -> None:
    table = log_table([batch(inputs={"score": [7, 8]}, kinds={"score": "number"})])
    assert table["score"].to_list() == [0.1, 0.2]
    assert inputs_of(table)["score"].to_list() == [7.0, 8.0]


def test_a_part_says_what_was_dropped() -> None:
    part = log_part([batch()], 4)
    assert pl.read_parquet_metadata(BytesIO(part))["freehold.dropped"] == "4"
    assert pl.read_parquet(BytesIO(part)).height == 2


def test_batches_that_disagree_on_a_kind_do_not_share_a_table() -> None:
    text = batch(inputs={"x": ["far", "near"]}, kinds={"x": "category"})
    other = batch(inputs={"y": [1, 2]}, kinds={"y": "number"})
    batches = [batch(), other, batch(), text, other, text, batch()]
    runs = agreeing(batches)
    assert [len(run) for run in runs] == [3, 3, 1]
    assert [one for run in runs for one in run] == batches
    assert [log_table(run).height for run in runs] == [6, 6, 2]
    assert agreeing([]) == []
