"""Rows of many requests become one table, whatever each of them carried."""

from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.serving.left_out import LeftOut, Tally, left_out_of
from freehold.serving.prediction_log import (
    SCHEMA,
    Batch,
    agreeing,
    inputs_of,
    log_part,
    log_table,
    personal_in,
    pieces_of,
)
from freehold.serving.sampling import Sampling
from freehold.serving.tensor import NumberMatrix
from freehold.serving.tokens import TokenKey, Tokens

KEY = TokenKey(bytes(range(32)))


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


NAMES = ("x", "y")
NAN = float("nan")
KINDS: list[dict[str, Any]] = [
    {"x": "number"},
    {"x": "number", "y": "number"},
    {"x": "category"},
    {"y": "number"},
]
PERSONAL = Tokens(KEY, frozenset({"x"}), ids=True)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Zeros, empty texts and nothing at all, which are three different things."""
    rows = draw(st.integers(1, 3))
    kinds = draw(st.sampled_from(KINDS))
    tokens = draw(st.sampled_from([None, None, PERSONAL]))
    sampling = draw(st.sampled_from([None, Sampling("m", 0.5)]))
    if set(kinds.values()) == {"number"} and draw(st.booleans()):
        values = draw(st.lists(st.sampled_from([0.0, 1.5, NAN]), min_size=6, max_size=6))
        numbers = np.array(values[: rows * len(kinds)]).reshape(rows, len(kinds))
        inputs: Any = NumberMatrix(tuple(kinds), "FP64", numbers)
    else:
        cells = {"number": st.sampled_from([0, 1.5, None]), "category": st.sampled_from(["", None])}
        columns = {
            name: st.lists(cells[kind], min_size=rows, max_size=rows)
            for name, kind in kinds.items()
        }
        inputs = draw(st.fixed_dictionaries(columns))
    score = st.none() | st.lists(st.sampled_from([0.0, 0.7]), min_size=rows, max_size=rows)
    return batch(
        prediction_ids=[f"p{draw(st.integers(0, 9))}" for _ in range(rows)],
        inputs=inputs,
        kinds=kinds,
        score=draw(score),
        reference_score=draw(score),
        latency_us=draw(st.sampled_from([None, 0.0, 2.0])),
        routing=draw(st.sampled_from([None, 0, 3])),
        trace=draw(st.sampled_from([None, "", "t"])),
        tokens=tokens,
        sampling=sampling,
        has_ids=draw(st.booleans()),
    )


def alone(one: Batch, kinds: dict[str, Any]) -> pl.DataFrame:
    """Its row by itself, among the columns of all."""
    personal = one.tokens.columns if one.tokens else frozenset()
    table = log_table([one])
    lacking = [
        pl.lit(None, pl.String if name in personal or kind == "category" else pl.Float64).alias(
            ("token_" if name in personal else "input_") + name
        )
        for name, kind in kinds.items()
        if name not in one.kinds
    ]
    return table.with_columns(lacking)


@given(st.lists(batches(), min_size=1, max_size=12), st.lists(st.integers(1, 11)), st.data())
def test_pieces_change_nothing(given_: list[Batch], cuts: list[int], data: st.DataObject) -> None:
    """Wherever they were cut, and whatever part is then written."""
    places = [0, *sorted({cut for cut in cuts if cut < len(given_)}), len(given_)]
    pieces = {
        id(piece.batches[0]): piece
        for start, end in pairwise(places)
        for piece in pieces_of(given_[start:end])
    }
    for run in agreeing(given_):
        half = data.draw(st.integers(0, len(run) - 1))
        for part in (run, run[half:], run[: half or 1]):
            table = log_table(part, pieces)
            assert table.equals(log_table(part))
            kinds = {name: kind for one in part for name, kind in one.kinds.items()}
            each = [alone(one, kinds).select(table.columns) for one in part]
            assert table.equals(pl.concat(each))


def test_a_batch_that_fits_no_table_spoils_no_piece_but_its_own() -> None:
    odd = batch(inputs={"x": ["no number", 1], "c": ["a", "b"]})
    assert pieces_of([batch(), odd]) == []
    (piece,) = pieces_of([batch(), batch()])
    with pytest.raises((TypeError, ValueError)):
        log_table([*piece.batches, odd], {id(piece.batches[0]): piece})


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


def test_personal_columns_are_tokens_however_they_came() -> None:
    tokens = Tokens(KEY, frozenset({"x", "c"}), ids=False)
    lists = batch(tokens=tokens, inputs={"x": [7, None], "c": ["a", None], "y": [1, 2]})
    lists = lists._replace(kinds={**lists.kinds, "y": "number"})
    table = log_table([lists])
    assert {"token_x", "token_c", "input_y"} <= set(table.columns)
    assert not {"input_x", "input_c"} & set(table.columns)
    assert personal_in(table) == {"x", "c"}
    assert inputs_of(table).columns == ["y"]
    assert table["token_x"].to_list() == [*KEY.tokens("input_x", [7.0], numbers=True), None]
    assert table["token_c"].to_list() == [*KEY.tokens("input_c", ["a"], numbers=False), None]
    matrix = NumberMatrix(("x", "y"), "FP64", np.array([[7.0, 1.0], [np.nan, 2.0]]))
    kinds = {"x": "number", "y": "number"}
    one = batch(tokens=Tokens(KEY, frozenset({"x"}), ids=False), inputs=matrix, kinds=kinds)
    assert log_table([one])["token_x"].to_list() == table["token_x"].to_list()
    assert log_table([one])["input_y"].to_list() == [1.0, 2.0]


def test_ids_are_tokens_where_they_are_personal() -> None:
    tokens = Tokens(KEY, frozenset(), ids=True)
    part = log_part([batch(tokens=tokens)], 0)
    table = pl.read_parquet(BytesIO(part))
    expected = KEY.tokens("prediction_id", ["p1", "p2"], numbers=False)
    assert table["prediction_id"].to_list() == expected
    assert table["request_id"].to_list() == KEY.tokens("request_id", ["r", "r"], numbers=False)
    assert table["input_x"].to_list() == [1.0, None]
    metadata = pl.read_parquet_metadata(BytesIO(part))
    assert metadata["freehold.tokens"] == KEY.name
    assert metadata["freehold.token_ids"] == "true"
    assert "freehold.tokens" not in pl.read_parquet_metadata(BytesIO(log_part([batch()], 0)))


def test_what_is_personal_under_another_rule_or_key_stands_in_another_part() -> None:
    one = batch(tokens=Tokens(KEY, frozenset({"x"}), ids=False))
    same = batch(tokens=Tokens(TokenKey(bytes(range(32))), frozenset({"x"}), ids=False))
    other_key = batch(tokens=Tokens(TokenKey(b"o" * 32), frozenset({"x"}), ids=False))
    other_rule = batch(tokens=Tokens(KEY, frozenset({"x"}), ids=True))
    runs = agreeing([batch(), one, same, other_key, other_rule, other_rule, batch()])
    assert [len(run) for run in runs] == [1, 2, 1, 2, 1]


def test_a_part_says_what_was_left_out() -> None:
    tally = Tally()
    tally.share = 0.1
    for asked in (30, 10, 20):
        tally.add(LeftOut("m", 1, 1, 2, asked, asked, asked + 5, 0.5, 0.25))
    tally.add(LeftOut("m", 2, 0, 1, 7, 7, 8))
    for batches in ([batch()], []):
        part = log_part(batches, 0, tally)
        metadata = pl.read_parquet_metadata(BytesIO(part))
        assert (metadata["freehold.sampled_out"], metadata["freehold.sample"]) == ("7", "0.1")
        assert left_out_of(metadata) == (
            LeftOut("m", 1, 3, 6, 10, 30, 35, 1.5, 0.75),
            LeftOut("m", 2, 0, 1, 7, 7, 8),
        )
        assert pl.read_parquet(BytesIO(part)).height == 2 * len(batches)
    assert dict(log_table([]).schema) == dict(SCHEMA)
    metadata = pl.read_parquet_metadata(BytesIO(log_part([batch()], 0)))
    assert metadata["freehold.sampled_out"] == "0"
    assert left_out_of(metadata) == left_out_of({}) == ()
    for spoilt in ("[{}]", "5", "{", '{"a": 1}', "[1]"):
        with pytest.raises(ValueError):
            left_out_of({"freehold.left_out": spoilt})


def test_some_rows_of_a_batch_are_a_batch() -> None:
    some = batch(reference_score=[0.3, 0.4]).take([1])
    assert (some.prediction_ids, some.score, some.reference_score) == (["p2"], [0.2], [0.4])
    assert some.inputs == {"x": [None], "c": [None]}
    matrix = NumberMatrix(("x",), "FP64", np.array([[1.0], [2.0]]))
    of_matrix = batch(inputs=matrix, kinds={"x": "number"}, score=None).take([1])
    assert of_matrix.score is None
    assert log_table([of_matrix])["input_x"].to_list() == [2.0]
