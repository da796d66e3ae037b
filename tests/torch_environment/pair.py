"""The same question, answered by two networks together: one exported, one scripted."""

import polars as pl
import torch
from shop import Network, baskets, columns, exported, fitted

from freehold import Candidate, Columns, ModelGraph, ensemble, pipeline, step, trained


@step
def fit(training: pl.DataFrame, columns: Columns) -> ModelGraph:
    both = {
        "learnt": trained(exported(fitted(training, columns)), columns),
        "first": trained(torch.jit.script(Network().eval()), columns),
    }
    return ModelGraph(columns, ensemble(both, weights={"learnt": 3.0, "first": 1.0}))


@pipeline
def train(rows: int = 3000, seed: int = 1) -> Candidate:
    training, evaluation = baskets(rows, seed), baskets(rows, seed + 1)
    inputs = columns(training)
    model = fit(training, inputs)
    return Candidate(
        model=model, columns=inputs, training=training, evaluation=evaluation, target="left"
    )
