"""What a version cost to train, and what its answers would: evidence for policies."""

import time
from typing import Any

import numpy as np
import polars as pl

from freehold.app.costs.budgets import run_cost
from freehold.app.costs.tariff import Tariff, tariff_of
from freehold.app.model.candidate import evaluation_of
from freehold.app.model.scoring import PackagedModel
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion, version_of
from freehold.domain.candidate import Candidate
from freehold.domain.errors import FreeholdError, IntegrityError
from freehold.domain.offer import Figure

ROWS = 2000
"""Evaluation rows, at most, that are scored to see how long that takes."""
REPEATS = 5
"""Of which the quickest counts: what disturbs a measurement only makes it longer."""


def price_of(
    site: Site, version: ModelVersion, candidate: Candidate, tariff: Tariff | None = None
) -> dict[str, Any] | None:
    """`{currency, training, per_thousand_predictions, champion_per_thousand_predictions}`, each
    figure null where it is not known; None where this machine's price is not.

    A thousand predictions cost the time that the serving runtime takes to score them here, at the
    price of this machine, for both versions on the same rows: compute alone, at full use. What an
    endpoint really costs by the thousand, idle hours and all, `freehold costs` tells later.
    """
    known = tariff or tariff_of(site.project)
    hourly = known.price_of(site.name, known.machine, False)
    if hourly is None:
        return None
    rows = evaluation_of(site, candidate).head(ROWS)
    champion = None if version.champion is None else _champion(site, version)
    return {
        "currency": known.currency,
        "training": run_cost(site, version.run),
        "per_thousand_predictions": _per_thousand(site, version, rows, hourly),
        "champion_per_thousand_predictions": champion
        and _per_thousand(site, champion, rows, hourly),
    }


def _champion(site: Site, version: ModelVersion) -> ModelVersion | None:
    try:
        return version_of(site.state, version.model, version.champion or 0)
    except FreeholdError:
        return None


def _per_thousand(
    site: Site, version: ModelVersion, rows: pl.DataFrame, hourly: Figure
) -> float | None:
    if rows.is_empty():
        return None
    try:
        model = PackagedModel(site, version)
    except IntegrityError as error:
        if error.code != "artifact.missing":
            raise
        return None
    seconds = np.inf
    model.scores(rows)
    for _ in range(REPEATS):
        begun = time.perf_counter()
        model.scores(rows)
        seconds = min(seconds, time.perf_counter() - begun)
    return float(seconds / rows.height * 1000 / 3600 * hourly.value)
