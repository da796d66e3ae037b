"""Labels that arrived: kept as artifacts, joined later by prediction id."""

from io import BytesIO

import polars as pl

from freehold.app.site.opening import Site
from freehold.catalog.traffic import label_files
from freehold.domain.errors import Fault, Refused
from freehold.domain.fact import Draft

COLUMNS = ("prediction_id", "label", "labelled_at")


def add_labels(site: Site, model: str, table: pl.DataFrame) -> int:
    """Keep `prediction_id` (text), `label` (0, 1 or boolean) and `labelled_at` (a time).

    Returns the rows kept. Raises Refused `labels.columns` with every fault.
    """
    kept = _checked(table)
    if kept.is_empty():
        return 0
    buffer = BytesIO()
    kept.write_parquet(buffer)
    times = kept["labelled_at"].dt.epoch("us")
    body = {
        "model": model,
        "artifact": site.artifacts.put(buffer.getvalue()),
        "rows": kept.height,
        "first": times.min(),
        "last": times.max(),
    }
    site.ledger.append([Draft("labels.added", body, actor=site.actor)])
    return kept.height


def labels(site: Site, model: str, since: int = 0) -> pl.DataFrame:
    """Labels known at or after `since`, in the order of their arrival."""
    parts = [
        pl.read_parquet(BytesIO(site.artifacts.get(file.artifact)))
        for file in label_files(site.state, model, since)
    ]
    if not parts:
        time = pl.Datetime("us", "UTC")
        schema = {"prediction_id": pl.String(), "label": pl.Int8(), "labelled_at": time}
        return pl.DataFrame(schema=schema)
    return pl.concat(parts)


def _checked(table: pl.DataFrame) -> pl.DataFrame:
    faults = [
        Fault("labels.columns", f"there is no column '{name}'")
        for name in COLUMNS
        if name not in table.columns
    ]
    if faults:
        raise Refused(
            "these are not labels",
            faults=faults,
            hint=f"the columns are {', '.join(COLUMNS)}",
            code="labels.columns",
        )
    try:
        kept = table.select(
            pl.col("prediction_id").cast(pl.String),
            pl.col("label").cast(pl.Int8),
            pl.col("labelled_at").cast(pl.Datetime("us", "UTC")),
        ).drop_nulls()
    except pl.exceptions.PolarsError as exc:
        raise Refused(
            "these are not labels",
            why=str(exc),
            hint="label is 0 or 1, labelled_at a time",
            code="labels.columns",
        ) from exc
    others = kept.filter(~pl.col("label").is_in([0, 1]))
    if not others.is_empty():
        raise Refused(
            "these are not labels",
            why=f"{others.height} of {kept.height} are neither 0 nor 1, such as"
            f" {others['label'][0]} of '{others['prediction_id'][0]}'",
            hint="label is 0 or 1, labelled_at a time",
            code="labels.columns",
        )
    return kept
