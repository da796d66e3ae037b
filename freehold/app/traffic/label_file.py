"""`freehold labels`: labels from a file."""

from pathlib import Path

import polars as pl

from freehold.app.site.opening import Site
from freehold.app.traffic.labels import add_labels
from freehold.domain.errors import NotFound, Refused


def labels_of_file(path: Path) -> pl.DataFrame:
    """From Parquet or CSV. Raises NotFound, Refused `labels.unreadable`."""
    if not path.is_file():
        raise NotFound(
            f"no file {path}",
            why="labels are read from a file of this machine",
            hint="bring a Parquet file, or a CSV file ending in .csv",
            code="labels.no-file",
        )
    try:
        if path.suffix == ".csv":
            return pl.read_csv(path, try_parse_dates=True)
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise Refused(
            f"{path} cannot be read as a table",
            why=str(exc),
            hint="bring a whole Parquet file, or a CSV file ending in .csv",
            code="labels.unreadable",
        ) from exc


def add_label_file(site: Site, model: str, path: Path) -> int:
    """Rows kept."""
    return add_labels(site, model, labels_of_file(path))
