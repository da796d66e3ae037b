"""How well predictions came true, once their labels are known."""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from freehold.domain.errors import Fault, Refused
from freehold.domain.statistics.estimate import LEVEL
from freehold.domain.statistics.figures import Measures
from freehold.domain.statistics.rows import Scored, scored
from freehold.domain.statistics.summary import measure

Period = Literal["day", "month"]
_FORMATS: dict[Period, str] = {"day": "%Y-%m-%d", "month": "%Y-%m"}


@dataclass(frozen=True)
class PeriodQuality:
    period: str
    """`2013-07` or `2013-07-14`, of the prediction's time in UTC."""
    measures: Measures

    def as_json(self) -> dict[str, Any]:
        return {"measures": self.measures.as_json(), "period": self.period}


@dataclass(frozen=True)
class QualityReport:
    predictions: int
    """Different ones; a repeated id counts once."""
    repeated: int
    """Rows left out since their id had been seen: the first prediction counts."""
    unlabelled: int
    """Predictions without a label so far. They are in no figure."""
    stray: int
    """Labels of no prediction given."""
    overall: Measures
    periods: tuple[PeriodQuality, ...]
    """By time; those without a labelled prediction are left out."""

    def as_json(self) -> dict[str, Any]:
        return {
            "overall": self.overall.as_json(),
            "periods": [one.as_json() for one in self.periods],
            "predictions": self.predictions,
            "repeated": self.repeated,
            "stray": self.stray,
            "unlabelled": self.unlabelled,
        }


def quality(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    period: Period = "month",
    threshold: float = 0.5,
    level: float = LEVEL,
) -> QualityReport:
    """Joins `predictions` (prediction_id, time, score) with `labels` (prediction_id, label).

    `time` is Datetime, `label` 0, 1, true, false or null for not known. Other columns are ignored.
    Of several labels of one prediction the last row that is not null counts: labels get corrected.
    Raises Refused `quality.missing-column` with a fault for each.
    """
    _require(predictions, labels)
    first = predictions.select("prediction_id", "time", "score").unique(
        "prediction_id", keep="first", maintain_order=True
    )
    last = (
        labels.select("prediction_id", pl.col("label").cast(pl.Int8))
        .drop_nulls()
        .unique("prediction_id", keep="last", maintain_order=True)
    )
    joined = first.join(last, on="prediction_id", how="inner").sort("time")
    named = joined.with_columns(period=pl.col("time").dt.strftime(_FORMATS[period]))
    return QualityReport(
        predictions=first.height,
        repeated=predictions.height - first.height,
        unlabelled=first.height - joined.height,
        stray=last.height - joined.height,
        overall=measure(_scored(joined), threshold, level),
        periods=tuple(
            PeriodQuality(str(name), measure(_scored(part), threshold, level))
            for (name,), part in named.group_by("period", maintain_order=True)
        ),
    )


def _scored(joined: pl.DataFrame) -> Scored:
    return scored(joined["score"].cast(pl.Float64).to_numpy(), joined["label"].to_numpy())


def _require(predictions: pl.DataFrame, labels: pl.DataFrame) -> None:
    wanted = {
        "predictions": (predictions, ("prediction_id", "time", "score")),
        "labels": (labels, ("prediction_id", "label")),
    }
    faults = [
        Fault("quality.missing-column", f"{name} lacks the column {column!r}", name)
        for name, (table, columns) in wanted.items()
        for column in columns
        if column not in table.columns
    ]
    if faults:
        raise Refused(
            "predictions and labels cannot be joined",
            faults=faults,
            code="quality.missing-column",
        )
