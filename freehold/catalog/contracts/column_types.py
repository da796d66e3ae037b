"""Names of column types: Polars' own, and what NumPy, pandas and SQL call them.

A name in lower or upper case is a family or a single Polars type, as `NAMES` says. A Polars type
with parameters is written as Polars prints it, `Datetime(time_unit='us', time_zone='UTC')`, or as
pandas does, `datetime64[us, UTC]`.
"""

import re

import polars as pl

_SIGNED = ("Int8", "Int16", "Int32", "Int64", "Int128")
_UNSIGNED = ("UInt8", "UInt16", "UInt32", "UInt64", "UInt128")
_POLARS = (
    *_SIGNED,
    *_UNSIGNED,
    *("Float32", "Float64", "Decimal", "String", "Boolean", "Binary", "Null", "Object"),
    *("Date", "Datetime", "Duration", "Time", "Categorical", "Enum", "List", "Array", "Struct"),
)
_SYNONYMS = {
    ("Int8",): "tinyint",
    ("Int16",): "smallint",
    ("Int64",): "int int_ long bigint",
    (*_SIGNED, *_UNSIGNED): "integer",
    ("Float32",): "real",
    ("Float64",): "float float_ double",
    ("Decimal",): "numeric",
    ("String",): "str string_types utf8 text varchar char object object_ o",
    ("Boolean",): "bool bool_",
    ("Datetime",): "datetime64 timestamp datetimetzdtype",
    ("Duration",): "timedelta timedelta64 interval",
    ("Categorical", "Enum"): "category categoricaldtype",
    ("Binary",): "bytes blob varbinary",
    ("List", "Array"): "list array",
    ("Struct",): "dict",
}
_PANDAS_DATETIME = re.compile(r"datetime64\[(ns|us|ms)(?:, *([^\]]+))?\]")

NAMES: dict[str, frozenset[str]] = {name.lower(): frozenset({name}) for name in _POLARS} | {
    name: frozenset(types) for types, names in _SYNONYMS.items() for name in names.split()
}
"""From a name in lower case to the Polars types that it covers."""


def is_known(name: str) -> bool:
    """Whether `name` says something about a column's type."""
    if name.lower() in NAMES or _PANDAS_DATETIME.fullmatch(name):
        return True
    head, bracket, _ = name.partition("(")
    return bool(bracket) and head in _POLARS and name.endswith(")")


def covers(name: str, dtype: pl.DataType) -> bool:
    """Whether a column of `dtype` is what `name` asks for."""
    family = NAMES.get(name.lower())
    if family is not None:
        return str(dtype.base_type()) in family
    if stamp := _PANDAS_DATETIME.fullmatch(name):
        unit, zone = stamp.groups()
        return (
            isinstance(dtype, pl.Datetime) and dtype.time_unit == unit and dtype.time_zone == zone
        )
    return name == str(dtype)
