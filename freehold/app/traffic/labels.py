"""Labels that arrived: kept as artifacts, joined later by prediction id."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import polars as pl

from freehold.app.site.opening import Site
from freehold.app.traffic.identities import Identities
from freehold.catalog.traffic import label_files
from freehold.domain.errors import Fault, Refused
from freehold.domain.fact import Draft
from freehold.domain.projection import State

COLUMNS = ("prediction_id", "label", "labelled_at")
TIME = pl.Datetime("us", "UTC")
SCHEMA = {"prediction_id": pl.String(), "label": pl.Int8(), "labelled_at": TIME}
MEANINGS = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}
UNKNOWN = ("", "nan", "null", "none")
"""How files write that a label is not known."""
SHOWN = 3
"""Values of a wrong column that an error shows. They are in no fact."""


@dataclass(frozen=True)
class ReadLabels:
    """Labels that can be kept."""

    rows: pl.DataFrame
    """`prediction_id`, `label` (0 or 1), `labelled_at` (UTC), of which nothing is null; then the
    project's metrics that were brought, numbers, null where one is not known."""
    left_out: int
    """Rows without an id, a label or a time."""

    def as_json(self) -> dict[str, Any]:
        times = self.rows["labelled_at"]
        first, last = times.min(), times.max()
        return {
            "rows": self.rows.height,
            "positives": int(self.rows["label"].sum()),
            "left_out": self.left_out,
            "first": first.isoformat() if isinstance(first, datetime) else None,
            "last": last.isoformat() if isinstance(last, datetime) else None,
        }


def read_labels(table: pl.DataFrame, metrics: Collection[str] = ()) -> ReadLabels:
    """Reads `prediction_id`, `label` (0, 1, true or false) and `labelled_at` (a time, or ISO 8601
    text; without a zone it is UTC), and of `metrics` the columns that are there. Raises Refused
    `labels.invalid` with every fault.
    """
    faults = [
        Fault("labels.columns", f"there is no column '{name}'", name, f"it has {_have(table)}")
        for name in COLUMNS
        if name not in table.columns
    ]
    if faults:
        raise _refused(faults)
    ids, identity_faults = _identities(table["prediction_id"])
    labels, label_faults = _labels(table["label"])
    times, time_faults = _times(table["labelled_at"])
    numbers = [_numbers(table[name]) for name in metrics if name in table.columns]
    faults = [*identity_faults, *label_faults, *time_faults]
    faults.extend(fault for _, found in numbers for fault in found)
    if faults:
        raise _refused(faults)
    known = [column for column, _ in numbers]
    whole = pl.DataFrame([ids, labels, times, *known]).drop_nulls(COLUMNS)
    return ReadLabels(whole, table.height - whole.height)


def keep_labels(site: Site, model: str, read: ReadLabels) -> int:
    """Returns the rows kept."""
    if read.rows.is_empty():
        return 0
    buffer = BytesIO()
    identities = Identities.of(site)
    identities.written(read.rows).write_parquet(buffer, metadata=identities.metadata)
    times = read.rows["labelled_at"].dt.epoch("us")
    data = buffer.getvalue()
    artifact = site.artifacts.put(data)
    body = {
        "model": model,
        "artifact": artifact,
        "rows": read.rows.height,
        "first": times.min(),
        "last": times.max(),
    }

    def decision(_: State) -> list[Draft]:
        # A collection may have let go of what nothing named yet.
        if not site.artifacts.holds(artifact):
            site.artifacts.put(data)
        return [Draft("labels.added", body, actor=site.actor)]

    site.ledger.decide(decision)
    return read.rows.height


def add_labels(site: Site, model: str, table: pl.DataFrame) -> int:
    """Read and keep. Returns the rows kept. Raises Refused `labels.invalid`."""
    return keep_labels(site, model, read_labels(table, site.project.spec.release.metrics))


def labels(site: Site, model: str, since: int = 0) -> pl.DataFrame:
    """Labels known at or after `since`, in the order of their arrival, with every metric that came
    beside any of them. Ids are as the log's are."""
    identities, parts = Identities.of(site), []
    for file in label_files(site.state, site.name, model, since):
        data = site.artifacts.get(file.artifact)
        metadata = pl.read_parquet_metadata(BytesIO(data))
        parts.append(identities.read(pl.read_parquet(BytesIO(data)), metadata))
    return pl.concat(parts, how="diagonal") if parts else pl.DataFrame(schema=SCHEMA)


def _identities(column: pl.Series) -> tuple[pl.Series, list[Fault]]:
    try:
        return column.cast(pl.String), []
    except pl.exceptions.PolarsError:
        what = f"identifiers are text, not {column.dtype}"
        return column, [Fault("labels.columns", what, "prediction_id", "write them as text")]


def _labels(column: pl.Series) -> tuple[pl.Series, list[Fault]]:
    hint = "a label is 0, 1, true or false; leave it empty while it is not known"
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        return column, [Fault("labels.values", f"labels are not {column.dtype}", "label", hint)]
    said = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    said = said.set(said.is_in(UNKNOWN), None)
    meant = said.replace_strict(MEANINGS, default=None, return_dtype=pl.Int8)
    wrong = column.filter(said.is_not_null() & meant.is_null())
    if wrong.is_empty():
        return meant, []
    what = f"{wrong.len():,} of {column.len():,} rows have another label: {_examples(wrong)}"
    return meant, [Fault("labels.values", what, "label", hint)]


def _numbers(column: pl.Series) -> tuple[pl.Series, list[Fault]]:
    hint = "write numbers; leave it empty while it is not known"
    if column.dtype.is_nested() or column.dtype == pl.Binary or column.dtype.is_temporal():
        what = f"a metric's values are numbers, not {column.dtype}"
        return column, [Fault("labels.values", what, column.name, hint)]
    said = column
    if column.dtype == pl.String:
        said = column.str.strip_chars()
        said = said.set(said.str.to_lowercase().is_in(UNKNOWN), None)
    found = said.cast(pl.Float64, strict=False)
    odd = said.filter(
        said.is_not_null() & ~found.is_finite().fill_null(False) & ~found.is_nan().fill_null(False)
    )
    if odd.is_empty():
        return found.fill_nan(None), []
    what = f"{odd.len():,} of {column.len():,} rows have no finite number: {_examples(odd)}"
    return column, [Fault("labels.values", what, column.name, hint)]


def _times(column: pl.Series) -> tuple[pl.Series, list[Fault]]:
    hint = "write times as ISO 8601, such as 2013-04-01T12:30:00Z"
    if column.dtype == pl.Null or column.dtype in (pl.Date, pl.Datetime):
        return column.cast(TIME), []
    if column.dtype != pl.String:
        return column, [Fault("labels.times", f"times are not {column.dtype}", "labelled_at", hint)]
    known = {text: _moment(text) for text in column.unique() if text is not None}
    times = pl.Series(column.name, [known.get(text) for text in column], dtype=TIME)
    wrong = column.filter(column.is_not_null() & (column != "") & times.is_null())
    if wrong.is_empty():
        return times, []
    what = f"{wrong.len():,} of {column.len():,} rows have no time: {_examples(wrong)}"
    return times, [Fault("labels.times", what, "labelled_at", hint)]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _examples(wrong: pl.Series) -> str:
    values = list(dict.fromkeys(str(value) for value in wrong))
    shown = ", ".join(f"'{value}'" for value in values[:SHOWN])
    return f"{shown}, …" if len(values) > SHOWN else shown


def _have(table: pl.DataFrame) -> str:
    return ", ".join(table.columns) or "none"


def _refused(faults: Sequence[Fault]) -> Refused:
    return Refused(
        "these are not labels",
        faults=faults,
        hint=f"the columns are {', '.join(COLUMNS)}; nothing was kept",
        code="labels.invalid",
    )
