"""The honest model, the one that cheats, the one that learned nothing; and the contracts."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from freehold.catalog.contracts.evaluation import evaluate
from freehold.catalog.contracts.suite import parse
from freehold.domain.columns import Columns


def auc(late: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The chance that a late flight scores above one in time; ties count half."""
    order = pl.Series(scores).rank("average").to_numpy()
    positives = int(late.sum())
    above = order[late].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(late) - positives)))


def trained(
    flights: SimpleNamespace, features: pl.DataFrame, *, leak: str = "", shuffled: bool = False
) -> tuple[float, float]:
    """AUC on the evaluation's flights as the model was trained, and with the leak unknown."""
    training, evaluation = flights.periods.period(features, date(2013, 4, 1), 90, shuffled, 7)
    columns = flights.training.columns(training, leak)
    assert isinstance(columns, Columns)
    model = flights.training.fit(training, columns, 7)
    late = evaluation["late"].to_numpy()
    blind = evaluation.with_columns(dep_delay=pl.lit(None, dtype=pl.Int64))
    return (
        auc(late, model.predict(columns.matrix(evaluation))),
        auc(late, model.predict(columns.matrix(blind))),
    )


def test_the_honest_model_has_some_skill(flights: SimpleNamespace, features: pl.DataFrame) -> None:
    offline, blind = trained(flights, features)
    assert 0.70 < offline < 0.80
    assert offline == blind


def test_the_model_that_cheats_shines_until_it_serves(
    flights: SimpleNamespace, features: pl.DataFrame
) -> None:
    offline, blind = trained(flights, features, leak="dep_delay")
    assert offline > 0.9
    assert blind < 0.7


def test_shuffled_labels_teach_nothing(flights: SimpleNamespace, features: pl.DataFrame) -> None:
    offline, _ = trained(flights, features, shuffled=True)
    assert 0.4 < offline < 0.6


def test_training_is_deterministic(flights: SimpleNamespace, features: pl.DataFrame) -> None:
    training, _ = flights.periods.period(features, date(2013, 3, 1), 30, False, 7)
    columns = flights.training.columns(training, "")
    texts = {flights.training.fit(training, columns, 7).model_to_string() for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize("name", ["flights", "weather", "planes"])
def test_the_real_tables_keep_their_contracts(
    raw: dict[str, pl.DataFrame], template: Path, name: str
) -> None:
    suite = template / "contracts" / f"{name}.json"
    report = evaluate(parse(suite.read_bytes(), suite.name), raw[name])
    assert [str(result.expectation) for result in report.failures] == []


def test_the_pipelines_fit_together(flights: SimpleNamespace) -> None:
    train = flights.training.train.trace({"until": "2013-05-01", "leak": "dep_delay"})
    train.check()
    assert [node.name for node in train.nodes] == [
        "flights_table",
        "airports_table",
        "journeys",
        "weather_table",
        "planes_table",
        "features",
        "period",
        "left_out",
        "columns",
        "fit",
    ]
    assert train.result.target == "late"
    flights.replay.traffic.trace().check()


def test_the_year_does_not_depend_on_what_is_asked_of_it(flights: SimpleNamespace) -> None:
    """Nothing up to the features takes a parameter, so every run shares them from the cache."""
    graph = flights.training.train.trace({"until": "2013-05-01"})
    for name in ("flights_table", "weather_table", "planes_table", "airports_table"):
        assert graph.node(name).arguments == {}
    for name in ("journeys", "features"):
        node = graph.node(name)
        assert len(list(node.references())) == len(node.arguments)
