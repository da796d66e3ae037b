from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from freehold.domain.errors import Refused
from freehold.domain.statistics.rows import scored
from freehold.domain.statistics.summary import measure
from freehold.monitoring.quality import quality

START = datetime(2013, 4, 1, tzinfo=UTC)
PREDICTIONS = {
    "prediction_id": pl.String,
    "time": pl.Datetime("us", "UTC"),
    "score": pl.Float64,
}
LABELS = {"prediction_id": pl.String, "label": pl.Int64}


def season(count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two months, shuffled against each other; a tenth of the labels has not come."""
    generator = np.random.default_rng(0)
    scores = generator.random(count)
    ids = [f"p{i}" for i in range(count)]
    hours = [START + timedelta(hours=i * 60 * 24 / count) for i in range(count)]
    predictions = pl.DataFrame({"prediction_id": ids, "time": hours, "score": scores})
    labels = pl.DataFrame({"prediction_id": ids, "label": generator.random(count) < scores})
    labels = labels.sample(fraction=1, shuffle=True, seed=1).head(count * 9 // 10)
    return predictions, labels


def test_labels_find_their_predictions_by_name() -> None:
    predictions, labels = season(2000)
    found = quality(predictions, labels)
    assert (found.predictions, found.unlabelled, found.stray, found.repeated) == (2000, 200, 0, 0)
    truth = dict(labels.iter_rows())
    kept = predictions.filter(pl.col("prediction_id").is_in(labels["prediction_id"].to_list()))
    expected = [truth[name] for name in kept["prediction_id"]]
    assert found.overall == measure(scored(kept["score"].to_numpy(), expected))
    assert [one.period for one in found.periods] == ["2013-04", "2013-05"]
    assert sum(one.measures.rows for one in found.periods) == 1800
    assert found.as_json()["periods"][0]["measures"]["auc"]["value"] > 0.7


def test_by_day() -> None:
    found = quality(*season(1200), period="day")
    assert len(found.periods) == 60
    assert [one.period for one in found.periods] == sorted(one.period for one in found.periods)
    assert found.periods[0].period == "2013-04-01"


def test_the_first_prediction_and_the_last_label_count() -> None:
    twice = [("a", START, 0.9), ("b", START, 0.2), ("a", START, 0.1)]
    corrected = [("a", 0), ("b", 0), ("a", 1), ("a", None), ("z", 1)]
    found = quality(
        pl.DataFrame(twice, schema=PREDICTIONS, orient="row"),
        pl.DataFrame(corrected, schema=LABELS, orient="row"),
    )
    assert (found.predictions, found.repeated, found.stray, found.unlabelled) == (2, 1, 1, 0)
    assert found.overall.accuracy.value == 1 and found.overall.positives == 1


def test_no_label_yet_is_not_a_failure() -> None:
    predictions = pl.DataFrame([("a", START, 0.9)], schema=PREDICTIONS, orient="row")
    found = quality(predictions, pl.DataFrame(schema=LABELS))
    assert found.unlabelled == 1 and found.periods == ()
    assert found.overall.auc.reason == "empty"


def test_missing_columns_are_refused_all_at_once() -> None:
    with pytest.raises(Refused) as refused:
        quality(pl.DataFrame({"time": [START]}), pl.DataFrame({"label": [1]}))
    assert len(refused.value.faults) == 3
    assert refused.value.code == "quality.missing-column"
