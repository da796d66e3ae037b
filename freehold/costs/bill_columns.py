"""How the columns of a FOCUS export are found and read, whatever its version and provider."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from freehold.costs import exports
from freehold.costs.exports import Export
from freehold.costs.focus import FOCUS, TIME, Column
from freehold.domain.errors import Fault

BY_NAME: Mapping[str, Column] = {column.name: column for column in FOCUS}
EARLY = ("BillingAccountType", "SubAccountType")
"""Of 1.2, and in Microsoft's exports from the first."""


@dataclass(frozen=True)
class Reading:
    """How the columns of a file are read."""

    version: str
    """Of FOCUS, by its columns: `1.0-preview`, `1.0`, `1.1` or `1.2`."""
    export: Export
    kinds: Mapping[str, pl.DataType]
    """Of the file's columns."""
    sources: Mapping[str, str]
    """Column of FOCUS → column of the file."""
    fills: Mapping[str, tuple[str, ...]]
    ignored: tuple[str, ...]
    """Columns that are not kept."""
    faults: tuple[Fault, ...]
    """Columns that are missing, or there twice."""


def reading_of(kinds: Mapping[str, pl.DataType], export: Export) -> Reading:
    """`kinds`: the file's columns and types. Names are taken whatever their case."""
    others = (*used_of_others(export), exports.SUBCATEGORY)
    known = {name.lower(): name for name in (*BY_NAME, *others)}
    preview = {old.lower(): new for old, new in exports.PREVIEW_NAMES.items()}
    sources: dict[str, str] = {}
    faults, ignored = [], []
    old_names = False
    for name in kinds:
        lower = name.lower()
        target = known.get(lower) or preview.get(lower)
        if target is None:
            ignored.append(name)
            continue
        old_names |= lower not in known
        if target in sources:
            what = f"'{sources[target]}' and '{name}' are the same column"
            faults.append(Fault("bill.columns", what, target, "leave one of them out"))
        sources[target] = name
    version = _version(sources, old_names or exports.SUBCATEGORY in sources)
    before = version == "1.0-preview"
    fills = {**(exports.PREVIEW_FILLS if before else {}), **export.fills}
    absent = (*export.absent, *(exports.PREVIEW_ABSENT if before else ()))
    for column in FOCUS:
        if column.level == "mandatory" and column.name not in (*sources, *fills, *absent):
            what = f"there is no column '{column.name}'"
            hint = "FOCUS asks for it: export the bill again with all mandatory columns"
            faults.append(Fault("bill.columns", what, column.name, hint))
    return Reading(version, export, dict(kinds), sources, fills, tuple(ignored), tuple(faults))


def text(reading: Reading, name: str) -> pl.Expr:
    """What the file says in a column, trimmed; null for what stands for nothing."""
    source = reading.sources.get(name)
    if source is None:
        return pl.lit(None, pl.String())
    kind = reading.kinds[source]
    said = pl.col(source)
    if isinstance(kind, pl.List):
        said = said.list.first()
    elif isinstance(kind, pl.Struct):
        return pl.lit(None, pl.String())
    said = said.cast(pl.String()).str.strip_chars()
    empty = ["", "null", *reading.export.empty]
    return pl.when(said.str.to_lowercase().is_in(empty)).then(None).otherwise(said)


def number(reading: Reading, name: str) -> pl.Expr:
    """Null where it is none, or not finite."""
    source = reading.sources.get(name)
    if source is not None and reading.kinds[source].is_numeric():
        value = pl.col(source).cast(pl.Float64())
    else:
        value = text(reading, name).cast(pl.Float64(), strict=False)
    return pl.when(value.is_finite()).then(value)


def moment(reading: Reading, name: str) -> pl.Expr:
    """UTC; null where it is no time, or has no zone."""
    source = reading.sources.get(name)
    kind = reading.kinds[source] if source is not None else pl.Null()
    if source is not None and isinstance(kind, pl.Datetime):
        said = pl.col(source).dt.cast_time_unit("us")
        if kind.time_zone is not None:
            return said.dt.convert_time_zone("UTC")
        return said.dt.replace_time_zone("UTC") if reading.export.naive else pl.lit(None, TIME)
    said = (
        text(reading, name)
        .str.replace(r" ?UTC$", "Z")
        .str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T")
        .str.replace(r"T(\d\d:\d\d)(Z|[+-])", "T${1}:00${2}")
        .str.replace(r"(:\d\d(?:\.\d+)?[+-]\d\d)$", "${1}:00")
    )
    return said.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def listed(reading: Reading, name: str) -> pl.Expr:
    """One of the column's allowed values, whatever its case; null for any other."""
    words = {value.lower(): value for value in BY_NAME[name].allowed}
    words |= exports.PREVIEW_WORDS.get(name, {})
    said = text(reading, name).str.to_lowercase()
    return said.replace_strict(words, default=None, return_dtype=pl.String())


def _version(sources: Mapping[str, str], before: bool) -> str:
    if before:
        return "1.0-preview"
    since = {BY_NAME[name].since for name in sources if name in BY_NAME and name not in EARLY}
    return max(since, default="1.0")


def used_of_others(export: Export) -> tuple[str, ...]:
    """Columns beyond FOCUS that something is filled from."""
    fills = (*export.fills.values(), *exports.PREVIEW_FILLS.values())
    names = {name for told in fills for name in told if name.startswith("x_")}
    return tuple(sorted(names))
