"""Does a feature view fit the tables it is asked of? Every fault, before any is computed."""

from collections.abc import Iterable, Mapping

import polars as pl

from freehold.domain.errors import Fault, ProjectInvalid
from freehold.domain.feature_view import (
    Feature,
    FeatureView,
    FromRow,
    Latest,
    Lookup,
    RateOver,
    Source,
    YearsSince,
    microseconds_of,
)

INSTANT = pl.Datetime("us", "UTC")


def check(view: FeatureView, spine: pl.DataFrame, sources: Mapping[str, pl.DataFrame]) -> None:
    """Raises ProjectInvalid `features.invalid` with all that `faults_of` finds."""
    faults = faults_of(view, spine, sources)
    if faults:
        raise ProjectInvalid(
            f"feature view {view.name!r} does not fit its tables",
            code="features.invalid",
            faults=faults,
        )


def faults_of(
    view: FeatureView, spine: pl.DataFrame, sources: Mapping[str, pl.DataFrame]
) -> tuple[Fault, ...]:
    """Faults with the codes `features.unknown-source`, `features.unknown-column`,
    `features.unknown-key`, `features.type`, `features.null-time`, `features.taken`,
    `features.length`, `features.time`, `features.key-not-unique`."""
    faults = list(_asked_at_faults(view, spine))
    if view.entity.key not in spine.columns:
        faults.append(_unknown(f"{view.name}.entity", spine, view.entity.key))
    for source in view.sources:
        faults += _source_faults(source, sources, spine)
    if not faults:
        for name, feature in view.features.items():
            faults += _feature_faults(f"{view.name}.{name}", name, feature, spine, sources)
    return tuple(faults)


def _asked_at_faults(view: FeatureView, spine: pl.DataFrame) -> Iterable[Fault]:
    yield from _instant_faults(f"{view.name}.asked_at", view.asked_at, spine)
    if view.asked_at in spine.columns and spine[view.asked_at].null_count():
        what = f"{spine[view.asked_at].null_count()} rows have no {view.asked_at!r}"
        yield Fault("features.null-time", what, f"{view.name}.asked_at")


def _source_faults(
    source: Source, sources: Mapping[str, pl.DataFrame], spine: pl.DataFrame
) -> Iterable[Fault]:
    if source.name not in sources:
        hint = "given are " + (", ".join(sources) or "none")
        yield Fault("features.unknown-source", "no such table was given", source.name, hint)
        return
    table = sources[source.name]
    for key in source.keys:
        if key not in table.columns:
            yield _unknown(f"{source.name}.{key}", table)
        elif key not in spine.columns:
            continue
        elif table[key].dtype != spine[key].dtype:
            what = f"is {table[key].dtype} here and {spine[key].dtype} in the spine"
            yield Fault("features.type", what, f"{source.name}.{key}")
    for column in filter(None, (source.event_time, source.known_at)):
        yield from _instant_faults(f"{source.name}.{column}", column, table)


def _feature_faults(
    where: str,
    name: str,
    feature: Feature,
    spine: pl.DataFrame,
    sources: Mapping[str, pl.DataFrame],
) -> Iterable[Fault]:
    if isinstance(feature, FromRow):
        if feature.column not in spine.columns:
            yield _unknown(where, spine, feature.column)
        if name in spine.columns and name != feature.column:
            yield Fault("features.taken", "the spine has another column of this name", where)
        return
    if name in spine.columns:
        yield Fault("features.taken", "the spine has a column of this name", where)
    found = feature.year if isinstance(feature, YearsSince) else feature
    by = found.on if isinstance(found, Lookup) else found.by
    table = sources[found.source.name]
    if by not in found.source.keys:
        hint = "its keys are " + ", ".join(found.source.keys)
        what = f"{by!r} is no key of source {found.source.name!r}"
        yield Fault("features.unknown-key", what, where, hint)
    elif by not in spine.columns:
        yield _unknown(where, spine, by)
    elif isinstance(found, Lookup):
        yield from _lookup_faults(where, found, table)
    if found.column not in table.columns:
        yield _unknown(where, table, found.column)
    else:
        yield from _type_faults(where, feature, table[found.column].dtype)
    yield from _time_faults(where, found)


def _lookup_faults(where: str, lookup: Lookup, table: pl.DataFrame) -> Iterable[Fault]:
    keys = table[lookup.on].drop_nulls()
    if not lookup.source.known_from and keys.n_unique() != len(keys):
        what = (
            f"{lookup.on!r} has duplicates in {lookup.source.name!r}, and no time tells them apart"
        )
        hint = "give the source times, or keep one row for each key"
        yield Fault("features.key-not-unique", what, where, hint)


def _type_faults(where: str, feature: Feature, dtype: pl.DataType) -> Iterable[Fault]:
    if isinstance(feature, RateOver) and not (dtype.is_integer() or dtype == pl.Boolean):
        what = f"{feature.column!r} is {dtype}: a rate is taken of booleans or integers"
        yield Fault("features.type", what, where)
    if isinstance(feature, YearsSince) and not dtype.is_integer():
        yield Fault("features.type", f"{feature.year.column!r} is {dtype}, not a year", where)


def _time_faults(where: str, feature: Feature) -> Iterable[Fault]:
    if isinstance(feature, Latest) and not feature.source.event_time:
        what = f"source {feature.source.name!r} has no event_time, so nothing in it is latest"
        yield Fault("features.time", what, where)
    if isinstance(feature, RateOver) and not feature.source.known_from:
        what = f"source {feature.source.name!r} has no times, so no window can be laid on it"
        yield Fault("features.time", what, where)
    length = feature.window if isinstance(feature, RateOver) else ""
    length = feature.time_to_live if isinstance(feature, Latest) else length
    if length or isinstance(feature, RateOver):
        try:
            microseconds_of(length)
        except ProjectInvalid as error:
            yield Fault(error.code, error.what, where, error.hint)


def _instant_faults(where: str, column: str, table: pl.DataFrame) -> Iterable[Fault]:
    if column not in table.columns:
        yield _unknown(where, table, column)
    elif table[column].dtype != INSTANT:
        what = f"{column!r} is {table[column].dtype}, not Datetime in microseconds, UTC"
        yield Fault("features.type", what, where)


def _unknown(where: str, table: pl.DataFrame, column: str = "") -> Fault:
    what = f"there is no column {column or where.rpartition('.')[2]!r}"
    return Fault("features.unknown-column", what, where, "there are " + ", ".join(table.columns))
