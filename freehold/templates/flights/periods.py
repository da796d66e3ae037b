"""Which flights a model learns from, and what is left out."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl

from freehold import step

EVALUATION_DAYS = 14


@step
def period(
    features: pl.DataFrame, until: date, days: int, shuffle_labels: bool, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Training and evaluation: flights asked about in the `days` before `until` (midnight, UTC)
    and landed by then; the last 14 days are for evaluation.

    `shuffle_labels` deals the training labels out anew, so that there is nothing to learn.
    """
    if days <= EVALUATION_DAYS:
        raise ValueError(f"days is {days}: more than {EVALUATION_DAYS} are needed to train")
    taken = features.filter(_reason(until, days) == "taken")
    evaluated = pl.col("asked_at") >= _midnight(until, EVALUATION_DAYS)
    training, evaluation = taken.filter(~evaluated), taken.filter(evaluated)
    if training.is_empty() or evaluation.is_empty():
        raise ValueError(f"no labelled flights in the {days} days before {until}")
    if shuffle_labels:
        order = np.random.default_rng(seed).permutation(training.height)
        training = training.with_columns(late=training["late"].gather(order))
    return training, evaluation


@step
def left_out(features: pl.DataFrame, until: date, days: int) -> dict[str, int]:
    """Every flight of the year under the reason why it is not in the period, or under `taken`."""
    reasons = features.select(reason=_reason(until, days))["reason"].value_counts(sort=True)
    return {"flights": features.height, **dict(reasons.iter_rows())}


def _reason(until: date, days: int) -> pl.Expr:
    asked, end = pl.col("asked_at"), _midnight(until)
    return (
        pl.when(asked < _midnight(until, days))
        .then(pl.lit("asked about before the period"))
        .when(asked >= end)
        .then(pl.lit("asked about after the period"))
        .when("cancelled")
        .then(pl.lit("cancelled"))
        .when(pl.col("late").is_null())
        .then(pl.lit("departed, no arrival delay recorded"))
        .when(pl.col("landed_at") > end)
        .then(pl.lit("not landed by the end of the period"))
        .otherwise(pl.lit("taken"))
    )


def _midnight(day: date, days_before: int = 0) -> datetime:
    return datetime.combine(day, time(), UTC) - timedelta(days=days_before)
