"""Will a basket be abandoned? `NOISE` in the environment makes a step that is not deterministic."""

import os

import lightgbm
import numpy as np
import polars as pl

from freehold import Candidate, Columns, pipeline, step


@step
def baskets(rows: int, seed: int) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    items, minutes = chance.poisson(4, rows), chance.gamma(2.0, 6.0, rows)
    left = chance.random(rows) < 1 / (1 + np.exp(0.35 * items - 0.12 * minutes))
    return pl.DataFrame({"items": items, "minutes": minutes, "left": left})


@step
def split(baskets: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    held_out = baskets.height // 4
    return baskets.head(-held_out), baskets.tail(held_out)


@step
def shaken(training: pl.DataFrame) -> pl.DataFrame:
    noise = float(os.environ.get("NOISE", "0"))
    if not noise:
        return training
    moved = np.random.default_rng().normal(0, noise, training.height)
    return training.with_columns(minutes=pl.col("minutes") + moved)


@step
def columns(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, ["items", "minutes"])


@step(timeout=300)
def fit(training: pl.DataFrame, columns: Columns) -> lightgbm.Booster:
    print("a step that speaks")
    rows = lightgbm.Dataset(columns.matrix(training), label=training["left"].to_numpy())
    given = {"objective": "binary", "verbosity": -1, "deterministic": True, "num_threads": 1}
    return lightgbm.train(given, rows, num_boost_round=20)


@pipeline
def train(rows: int = 4000, seed: int = 1) -> Candidate:
    training, evaluation = split(baskets(rows, seed))
    learned = shaken(training)
    inputs = columns(learned)
    return Candidate(
        model=fit(learned, inputs),
        columns=inputs,
        training=learned,
        evaluation=evaluation,
        target="left",
    )
