"""Features as they could be known at the time of asking.

The law: no row that was not known by a question's time (changed, added or taken away) touches
that question's features. Each computation therefore goes over rows in the order in which they
became known, and what it keeps at each row depends on that row and those before it alone.
"""

from collections.abc import Mapping

import polars as pl

from freehold.domain.feature_view import (
    Feature,
    FeatureView,
    FromRow,
    Latest,
    Lookup,
    RateOver,
    YearsSince,
    microseconds_of,
)
from freehold.features.validation import INSTANT, check

_TICK = pl.duration(microseconds=1)


def point_in_time(
    view: FeatureView, spine: pl.DataFrame, sources: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """The spine's rows in their order, its columns, then the view's features.

    A feature that is the spine's own column under its own name is not repeated. `sources` has a
    table for each source's name. Raises ProjectInvalid `features.invalid` when view and tables
    do not fit.
    """
    check(view, spine, sources)
    made = [
        _computed(feature, view.asked_at, spine, sources).alias(name)
        for name, feature in view.features.items()
        if name not in spine.columns
    ]
    return spine.with_columns(made)


def _computed(
    feature: Feature, asked_at: str, spine: pl.DataFrame, sources: Mapping[str, pl.DataFrame]
) -> pl.Series:
    if isinstance(feature, FromRow):
        return spine[feature.column]
    if isinstance(feature, YearsSince):
        year = _computed(feature.year, asked_at, spine, sources)
        return spine[asked_at].dt.year().cast(pl.Int64) - year.cast(pl.Int64)
    by = feature.on if isinstance(feature, Lookup) else feature.by
    questions = spine.select(key=by, asked=asked_at)
    table = sources[feature.source.name]
    if isinstance(feature, RateOver):
        return _rate(feature, questions, table)
    if isinstance(feature, Latest):
        return _latest(feature, questions, table)
    return _looked_up(feature, questions, table)


def _looked_up(lookup: Lookup, questions: pl.DataFrame, table: pl.DataFrame) -> pl.Series:
    source = lookup.source
    if not source.known_from:
        rows = table.select(key=lookup.on, value=lookup.column).drop_nulls("key")
        return questions.join(rows, on="key", how="left", maintain_order="left")["value"]
    rows = table.select(key=lookup.on, value=lookup.column, usable=source.known_from)
    return _as_of(questions, rows.drop_nulls(["key", "usable"]).sort("usable", maintain_order=True))


def _latest(latest: Latest, questions: pl.DataFrame, table: pl.DataFrame) -> pl.Series:
    """As of t, the row with the greatest (event, known) among those usable by t.

    Rows are numbered by (event, known, place) and sorted by the time from which they may be
    used; the running maximum of the numbers, per key, is the row to answer with.
    """
    source = latest.source
    rows = table.select(
        key=latest.by,
        value=latest.column,
        event=source.event_time,
        known=source.known_from,
    ).drop_nulls(["key", "event", "known"])
    if not rows.height:
        return pl.repeat(None, questions.height, dtype=rows["value"].dtype, eager=True)
    from_event = pl.col("event") + _TICK if latest.strictly_before else pl.col("event")
    # Without known_at an observation is known at its event: the greater of the two is the event.
    usable = pl.max_horizontal(from_event, "known")
    rows = rows.sort("event", "known", maintain_order=True).with_row_index("number")
    best = (
        rows.select("key", usable=usable, number="number")
        .sort("usable", maintain_order=True)
        .with_columns(value=pl.col("number").cum_max().over("key"))
    )
    number = _as_of(questions, best)
    answer = rows.select("value", "event")[number]
    if not latest.time_to_live:
        return answer["value"]
    length = pl.duration(microseconds=microseconds_of(latest.time_to_live))
    young = pl.col("event") >= pl.col("asked") - length
    return answer.with_columns(questions["asked"]).select(value=pl.when(young).then("value"))[
        "value"
    ]


def _rate(rate: RateOver, questions: pl.DataFrame, table: pl.DataFrame) -> pl.Series:
    """Running sums and counts per key; a window is the difference of two of them, in integers."""
    totals = (
        table.select(
            key=rate.by, usable=rate.source.known_from, value=pl.col(rate.column).cast(pl.Int64)
        )
        .drop_nulls()
        .group_by("key", "usable")
        .agg(pl.col("value").sum(), count=pl.len().cast(pl.Int64))
        .sort("usable", "key")
        .with_columns(pl.col("value", "count").cum_sum().over("key"))
        .select("key", "usable", value=pl.struct("value", "count"))
    )
    length = pl.duration(microseconds=microseconds_of(rate.window))
    now = _as_of(questions, totals).struct.unnest()
    before = _as_of(questions.with_columns(pl.col("asked") - length), totals).struct.unnest()
    count = now["count"].fill_null(0) - before["count"].fill_null(0)
    total = now["value"].fill_null(0) - before["value"].fill_null(0)
    ratio = pl.DataFrame({"total": total, "count": count})
    return ratio.select(value=pl.when(pl.col("count") > 0).then(pl.col("total") / pl.col("count")))[
        "value"
    ]


def _as_of(questions: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """For each question, `value` of the last row of its key with `usable` ≤ asked, else null.

    `rows` is sorted by `usable`; among equals the last row answers.
    """
    asked = questions.with_row_index("place").sort("asked", maintain_order=True)
    last = rows.group_by("key", "usable", maintain_order=True).last().sort("usable")
    answers = asked.join_asof(
        last.select("key", pl.col("usable").cast(INSTANT), "value"),
        left_on="asked",
        right_on="usable",
        by="key",
        strategy="backward",
        check_sortedness=False,
    )
    return answers.sort("place")["value"]
