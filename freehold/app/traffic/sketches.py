"""What a model's versions were asked and answered, by the sketches of the log's parts: no row is
read."""

from io import BytesIO

import polars as pl

from freehold.app.site.opening import Site
from freehold.app.traffic.requests import log_bytes
from freehold.catalog.traffic import log_files, place_of
from freehold.domain.sketches import VersionSketch
from freehold.monitoring.sketches import together
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
