"""Between JSON and a column's values: bounds and sets on the way in, samples on the way out."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from freehold.domain.canonical import SAFE_INTEGER


class Unfit(Exception):
    """An expectation and a column that do not go together; the text says why."""


def is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def as_bound(value: float | str, dtype: pl.DataType) -> int | float | datetime:
    """What a column of `dtype` can be compared with, in Python as in Polars.

    A date or time is read by ISO 8601; one without a zone is in the column's own. Raises Unfit.
    """
    if dtype.is_numeric():
        if isinstance(value, str):
            raise Unfit(f"a column of {dtype} cannot be compared with the date {value!r}")
        return value
    if not isinstance(dtype, pl.Date | pl.Datetime):
        raise Unfit(f"a column of {dtype} cannot be compared with bounds")
    if not isinstance(value, str):
        raise Unfit(f"a column of {dtype} cannot be compared with the number {value!r}")
    return _as_moment(value, dtype)


def _as_moment(value: str, dtype: pl.DataType) -> datetime:
    moment = read_moment(value)
    if moment is None:
        raise Unfit(f"{value!r} is not a date or time of ISO 8601")
    zone = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
    if zone is None:
        if moment.tzinfo is not None:
            raise Unfit(f"{value!r} has a time zone, the column has none")
        return moment
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def read_moment(value: str) -> datetime | None:
    """A date, as its midnight, or a date with a time; None if it is not ISO 8601."""
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def literal(bound: Any, dtype: pl.DataType) -> pl.Expr:
    """A bound as an expression that compares with a column of `dtype`."""
    zone = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
    return pl.lit(bound).dt.convert_time_zone(zone) if zone is not None else pl.lit(bound)


def as_set(values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """The members of a set that a column of `dtype` can hold; the others match nothing."""
    if dtype.is_integer():
        limits = np.iinfo(str(dtype).lower()) if "128" not in str(dtype) else np.iinfo("int64")
        whole = [int(v) for v in _numbers(values) if math.isfinite(v) and v == int(v)]
        return pl.Series([v for v in whole if limits.min <= v <= limits.max], dtype=dtype)
    if dtype.is_float():
        return pl.Series([float(v) for v in _numbers(values)], dtype=pl.Float64).cast(dtype)
    if isinstance(dtype, pl.Decimal):
        return pl.Series([Decimal(str(v)) for v in _numbers(values)], dtype=pl.Decimal(38, 18))
    if isinstance(dtype, pl.Boolean):
        truths = [bool(v) for v in values if isinstance(v, bool | int | float) and v in (0, 1)]
        return pl.Series(truths, dtype=pl.Boolean)
    texts = [v for v in values if isinstance(v, str)]
    if is_text(dtype):
        return pl.Series(texts, dtype=pl.String)
    if not isinstance(dtype, pl.Date | pl.Datetime):
        raise Unfit(f"a column of {dtype} cannot be looked up in a set")
    moments = [_as_moment(text, dtype) for text in texts]
    if isinstance(dtype, pl.Date):
        midnights = [m.date() for m in moments if m.time() == time()]
        return pl.Series(midnights, dtype=pl.Date)
    if dtype.time_zone is not None:
        stamps = pl.Series(moments, dtype=pl.Datetime("us", "UTC"))
        return stamps.dt.convert_time_zone(dtype.time_zone).cast(dtype)
    return pl.Series(moments, dtype=dtype)


def _numbers(values: Sequence[Any]) -> list[int | float]:
    return [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]


def json_value(value: Any) -> Any:
    """A value of a column as JSON: dates as ISO 8601, what JSON cannot hold as text."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    return str(value)
