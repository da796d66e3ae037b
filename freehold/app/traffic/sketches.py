"""What a model's versions were asked and answered, by the sketches of the log's parts: no row is
read."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import polars as pl

from freehold.app.site.opening import Site
from freehold.app.traffic.requests import log_bytes
from freehold.catalog.traffic import log_files, place_of
from freehold.domain.sketches import VersionSketch
from freehold.monitoring.sketches import described, together
from freehold.serving.prediction_log import sketches_of


def sketches(
    site: Site, model: str, since: int = 0, until: int | None = None
) -> dict[int, VersionSketch]:
    """By version, of parts that have a row asked at or after `since` and before `until`,
    microseconds since 1970 UTC: whole parts, each of the log's window.

    Raises IntegrityError for a file that is gone or is not what was recorded.
    """
    files = log_files(site.state, place_of(site.name, ""), model, since)
    asked = (one for one in files if until is None or one.first < until)
    metadata = (pl.read_parquet_metadata(BytesIO(log_bytes(site, one))) for one in asked)
    return together(map(sketches_of, metadata), model)


def asked(site: Site, model: str, days: int) -> list[dict[str, Any]]:
    """Figures of a model, or of every model, in the last days: JSON, by version. Raises as
    `sketches`."""
    since = site.clock() - days * (timedelta(days=1) // timedelta(microseconds=1))
    names = [model] if model else list(site.project.spec.models)
    return [described(one) for name in names for one in sketches(site, name, since).values()]
