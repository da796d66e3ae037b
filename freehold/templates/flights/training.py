"""Train the model."""

from datetime import date

import lightgbm
import polars as pl
from journeys import journeys
from periods import left_out, period
from tables import airports_table, flights_table, planes_table, weather_table
from views import features, flight_view

from freehold import Candidate, Columns, pipeline, step

ROUNDS = 200
PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.8,
    "lambda_l2": 5.0,
}


@step
def columns(training: pl.DataFrame, leak: str) -> Columns:
    """What the model takes in, with the categories that the training rows have."""
    return Columns.fit(training, flight_view(leak).names)


@step
def fit(training: pl.DataFrame, columns: Columns, seed: int) -> lightgbm.Booster:
    """Gradient-boosted trees, the same ones every time."""
    rows = lightgbm.Dataset(
        columns.matrix(training),
        label=training["late"].cast(pl.Float32).to_numpy(),
        feature_name=list(columns.names),
    )
    # One thread is as quick on so few rows, and does not wait for a second that others keep busy.
    fixed = {"seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1}
    return lightgbm.train(PARAMETERS | fixed | {"verbosity": -1}, rows, num_boost_round=ROUNDS)


@pipeline
def train(
    until: date = date(2013, 4, 1),
    days: int = 90,
    leak: str = "",
    shuffle_labels: bool = False,
    seed: int = 7,
) -> Candidate:
    """`leak` and `shuffle_labels` make a model that cheats and one that knows nothing; they are
    for trying whether anybody notices."""
    asked = journeys(flights_table(), airports_table())
    table = features(asked, weather_table(), planes_table())
    training, evaluation = period(table, until, days, shuffle_labels, seed)
    left_out(table, until, days)
    inputs = columns(training, leak)
    return Candidate(
        model=fit(training, inputs, seed),
        columns=inputs,
        training=training,
        evaluation=evaluation,
        target="late",
        groups=["origin", "carrier"],
        parameters=PARAMETERS | {"rounds": ROUNDS, "seed": seed, "days": days},
    )
