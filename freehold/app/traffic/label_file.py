"""`freehold labels`: labels from a file."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from freehold.app.traffic.labels import ReadLabels, read_labels
from freehold.domain.errors import NotFound, Refused


def labels_of_file(path: Path, metrics: Collection[str] = ()) -> ReadLabels:
    """From Parquet or CSV, with the columns of these metrics if they are there. Raises NotFound,
    Refused `labels.unreadable`, `labels.invalid`."""
    if not path.is_file():
        raise NotFound(
            f"no file {path}",
            why="labels are read from a file of this machine",
            hint="bring a Parquet file, or a CSV file ending in .csv",
            code="labels.no-file",
        )
    try:
        # As text: what a value means is decided in one place, for every row alike.
        table = (
            pl.read_csv(path, infer_schema=False)
            if path.suffix == ".csv"
            else pl.read_parquet(path)
        )
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise Refused(
            f"{path} cannot be read as a table",
            why=str(exc),
            hint="bring a whole Parquet file, or a CSV file ending in .csv",
            code="labels.unreadable",
        ) from exc
    return read_labels(table, metrics)
