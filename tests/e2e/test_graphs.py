"""Pipelines whose steps return graphs: one that is released, and ones that do not fit."""

import json
from typing import Any

import pytest

STEPS = """
from typing import TypedDict
import numpy as np
import polars as pl
import xgboost
from freehold import (
    Candidate,
    Columns,
    ModelGraph,
    Number,
    cascade,
    pipeline,
    post,
    step,
    trained,
    transformer,
)


class Basket(TypedDict):
    items: Number


class Pace(TypedDict):
    pace: Number


def paced(basket: Basket) -> Pace:
    return {"pace": basket["items"] / 2}


@step
def baskets(rows: int) -> pl.DataFrame:
    chance = np.random.default_rng(1)
    items = chance.poisson(4, rows)
    return pl.DataFrame({"items": items, "more": items, "left": chance.random(rows) < items / 9})


@step
def columns(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, ["items"])


@step
def wider(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, ["items", "more"])


@step
def fit(training: pl.DataFrame, columns: Columns) -> ModelGraph:
    rows = xgboost.DMatrix(columns.matrix(training), label=training["left"].to_numpy())
    model = trained(xgboost.train({"objective": "binary:logistic", "nthread": 1}, rows, 5), columns)
    return ModelGraph(columns, transformer(paced) >> model)


@step
def fit_wrongly(training: pl.DataFrame, columns: Columns) -> ModelGraph:
    model = trained(None, Columns.fit(training, ["more"]))
    return ModelGraph(
        columns, cascade(model, model >> transformer(paced), unsure=(0.5, 0.1)) >> post(lambda s: s)
    )


@pipeline
def good(rows: int = 2000) -> Candidate:
    table = baskets(rows)
    inputs = columns(table)
    return Candidate(
        model=fit(table, inputs), columns=inputs, training=table, evaluation=table, target="left"
    )


@pipeline
def other_columns(rows: int = 2000) -> Candidate:
    table = baskets(rows)
    return Candidate(
        model=fit(table, columns(table)),
        columns=wider(table),
        training=table,
        evaluation=table,
        target="left",
    )


@pipeline
def wrong(rows: int = 2000) -> Candidate:
    table = baskets(rows)
    inputs = columns(table)
    return Candidate(
        model=fit_wrongly(table, inputs),
        columns=inputs,
        training=table,
        evaluation=table,
        target="left",
    )
"""
PROJECT = """
project: shop
pipelines:
  good: shop:good
  other_columns: shop:other_columns
  wrong: shop:wrong
models:
  good: {pipeline: good, purpose: Fits.}
  other: {pipeline: other_columns, purpose: Has other columns than its candidate.}
  wrong: {pipeline: wrong, purpose: Does not fit.}
policies: policies
"""


@pytest.fixture
def shop(project: Any) -> Any:
    project.write("freehold.yaml", PROJECT)
    project.write("shop.py", STEPS)
    return project


def test_a_graph_goes_the_way_of_every_model(shop: Any) -> None:
    made = shop.freehold("run", "good", "--yes")
    assert made.code == 0, made.err
    assert shop.freehold("release", "good@1", "--yes").code == 0
    # The champion stands beside, by the runtime that an endpoint uses.
    again = shop.freehold("run", "good", "--set", "rows=1900", "--yes")
    assert again.code == 0, again.err
    told = shop.freehold("models", "good@2", "--json").json["evidence"]
    assert told["champion"]["difference"]["value"] is not None
    (payload,) = shop.folder.glob(".freehold/serving/models/*/payload")
    document = json.loads((payload / "graph.json").read_bytes())
    assert document["graph"] == {"chain": [{"transformer": "paced"}, {"model": "model"}]}
    assert "def paced(" in (payload / "functions/paced.py").read_text()
    assert (payload / "models/model/model.xgb/model.json").is_file()
    card = shop.freehold("why", "good@1", "--json")
    assert card.code == 0


def test_a_candidate_with_other_columns_than_its_graph_is_refused(shop: Any) -> None:
    said = shop.freehold("run", "other_columns", "--yes")
    assert said.code == 1 and "error[candidate.columns]" in said.err
    assert "the model takes other columns than the candidate has" in said.err


def test_the_step_that_composes_what_does_not_fit_says_all_of_it(shop: Any) -> None:
    said = shop.freehold("run", "wrong", "--yes")
    assert said.code == 1 and "error[step.raised]: step 'fit_wrongly' failed" in said.err
    for code in ("band", "column-missing", "scores-into-table", "no-scores", "lambda"):
        assert f"[graph.{code}] shop.py:" in said.err
