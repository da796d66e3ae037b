"""`freehold compare`: what served, by month, beside a version that stayed as it was."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from freehold.app.model.naming import resolve
from freehold.app.model.scoring import PackagedModel
from freehold.app.site.opening import Site
from freehold.app.traffic.labels import labels
from freehold.app.traffic.requests import requests
from freehold.domain.errors import NotFound, Refused
from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.ranking import auc, compare
from freehold.domain.statistics.rows import scored
from freehold.serving.prediction_log import inputs_of, of_the_share, personal_in


@dataclass(frozen=True)
class Month:
    month: str
    """`2013-07`, by the time of asking, in UTC."""
    rows: int
    """Answered and labelled."""
    live: Estimate
    """AUC of what was answered, whichever version answered."""
    frozen: Estimate
    """AUC of the version on the same rows."""
    gained: Estimate
    """Live less frozen, paired."""

    def as_json(self) -> dict[str, Any]:
        return {
            "month": self.month,
            "rows": self.rows,
            "auc_live": self.live.as_json(),
            "auc_frozen": self.frozen.as_json(),
            "gained": self.gained.as_json(),
        }


def compare_months(site: Site, name: str) -> list[Month]:
    """Raises NotFound when nothing was answered and labelled yet, Refused `compare.personal` where
    the log has not what the version would need."""
    version = resolve(site, name)
    log = requests(site, version.model)
    known = labels(site, version.model).unique("prediction_id", keep="last", maintain_order=True)
    if log is None or known.is_empty():
        raise NotFound(
            f"nothing that {version.model} answered has a label yet",
            why="figures need requests whose outcome is known",
            hint="`freehold replay` plays a period; `freehold labels` brings labels",
            code="labels.none",
        )
    rows = (
        of_the_share(log)
        .drop_nulls("score")
        .unique("prediction_id", keep="first", maintain_order=True)
        .join(known, on="prediction_id", how="inner")
        .with_columns(month=pl.col("asked_at").dt.strftime("%Y-%m"))
        .sort("asked_at")
    )
    model = PackagedModel(site, version)
    hidden = sorted(personal_in(log) & set(model.columns.names))
    if hidden:
        raise Refused(
            f"{version.name} cannot be asked what it would have answered",
            why=f"the request log has tokens, and no values, of {', '.join(hidden)}",
            hint="compare a version that takes none of these columns",
            code="compare.personal",
        )
    frozen = model.scores(inputs_of(rows))
    whole = rows.select("month", "score", "label").with_columns(frozen=pl.Series(frozen))
    return [
        _month(str(month), part) for (month,), part in whole.group_by("month", maintain_order=True)
    ]


def _month(month: str, rows: pl.DataFrame) -> Month:
    live = scored(rows["score"].to_numpy(), rows["label"].to_numpy())
    beside = compare(live, rows["frozen"].to_numpy())
    return Month(month, rows.height, auc(live), beside.reference, beside.difference)
