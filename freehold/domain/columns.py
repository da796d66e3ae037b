"""What a model takes in: named columns in order, and the matrix made of them.

The one law: the same rows give the same matrix, whether they come as a table (training) or as
lists (a request). Tables are Polars data frames; they are asked by method, so that this module
needs numpy alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from freehold.domain.errors import Fault, ProjectInvalid, RequestInvalid

if TYPE_CHECKING:
    import polars as pl

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Vector = np.ndarray[tuple[int], np.dtype[np.float32]]

_KINDS = ("number", "category")
_NUMBERS = (float, int, type(None), np.integer, np.floating, np.bool_)
_LARGEST = int(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Column:
    name: str
    kind: Literal["number", "category"]
    values: tuple[str, ...] = ()
    """A category's values; a value's place here is its number in the matrix."""

    def as_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"kind": self.kind, "name": self.name}
        if self.kind == "category":
            value["values"] = list(self.values)
        return value


@dataclass(frozen=True)
class Columns:
    columns: tuple[Column, ...]
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    are_numbers: bool = field(init=False, repr=False, compare=False)
    """Whether none is a category."""
    _places: tuple[dict[str, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places = tuple({value: i for i, value in enumerate(c.values)} for c in self.columns)
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "names", tuple(column.name for column in self.columns))
        are_numbers = all(column.kind == "number" for column in self.columns)
        object.__setattr__(self, "are_numbers", are_numbers)

    @classmethod
    def fit(cls, table: "pl.DataFrame", names: Sequence[str]) -> "Columns":
        """Numbers and booleans become numbers, strings become categories.

        A category's values are the table's, the most frequent first, equals by name. Raises
        ProjectInvalid `columns.unknown` and `columns.type`, all faults at once.
        """
        faults = _fit_faults(table, names)
        if faults:
            raise ProjectInvalid(
                "the columns do not fit the table", code="columns.invalid", faults=faults
            )
        return cls(tuple(_fitted(table[name], name) for name in names))

    def matrix(self, table: "pl.DataFrame") -> Matrix:
        """float32 [rows, columns]: null is NaN; a category unseen in `fit`, or null, is NaN.

        Raises RequestInvalid `columns.missing` and `columns.type`.
        """
        faults = self._table_faults(table)
        if faults:
            raise RequestInvalid(
                "the table lacks what the model takes", code="columns.mismatch", faults=faults
            )
        made = np.empty((table.height, len(self.columns)), dtype=np.float32)
        with np.errstate(over="ignore"):
            for i, column in enumerate(self.columns):
                series = table[column.name]
                if column.kind == "category":
                    series = series.cast(str).replace_strict(
                        list(column.values), list(range(len(column.values))), default=None
                    )
                made[:, i] = series.cast(float).to_numpy()
        return made

    def matrix_of(self, lists: Mapping[str, Sequence[Any]]) -> Matrix:
        """The same matrix from one list of values per column; columns not asked for are ignored.

        A number may be given as int, float, bool or None, a category as str or None. Raises
        RequestInvalid `columns.missing`, `columns.length` or `columns.type`, at the first fault:
        this is the hot path.
        """
        if not self.columns:
            return np.empty((0, 0), dtype=np.float32)
        missing = [column.name for column in self.columns if column.name not in lists]
        if missing:
            raise _request_fault("columns.missing", missing[0], "is missing")
        rows = len(lists[self.columns[0].name])
        made = np.empty((rows, len(self.columns)), dtype=np.float32)
        numbers, places = [], []
        for i, column in enumerate(self.columns):
            values = lists[column.name]
            if len(values) != rows:
                what = f"has {len(values)} values, not {rows}"
                raise _request_fault("columns.length", column.name, what)
            if column.kind == "category":
                made[:, i] = _codes(values, self._places[i], column.name)
            else:
                numbers.append(_numbers(values, column.name))
                places.append(i)
        values = _together(numbers, [self.columns[place].name for place in places])
        with np.errstate(over="ignore"):
            made[:, places] = values.reshape(len(places), rows).T
        return made

    def as_json(self) -> dict[str, Any]:
        return {"columns": [column.as_json() for column in self.columns]}

    @classmethod
    def from_json(cls, value: Any) -> "Columns":
        """Raises ProjectInvalid `columns.document` with every fault found."""
        faults = _document_faults(value)
        if faults:
            raise ProjectInvalid(
                "this is no description of columns", code="columns.document", faults=faults
            )
        return cls(
            tuple(
                Column(item["name"], item["kind"], tuple(item.get("values", ())))
                for item in value["columns"]
            )
        )

    def _table_faults(self, table: "pl.DataFrame") -> list[Fault]:
        faults = []
        for column in self.columns:
            if column.name not in table.columns:
                faults.append(Fault("columns.missing", "is missing", column.name))
                continue
            dtype = table[column.name].dtype
            kind = _kind(dtype)
            # A column that is null throughout carries no type worth objecting to.
            if kind != column.kind and str(dtype) != "Null":
                what = f"is {dtype}, not a {column.kind}"
                faults.append(Fault("columns.type", what, column.name))
        return faults


def _fitted(series: "pl.Series", name: str) -> Column:
    if _kind(series.dtype) == "number":
        return Column(name, "number")
    counts = series.drop_nulls().cast(str).value_counts(name="_count").rows()
    return Column(
        name, "category", tuple(v for v, _ in sorted(counts, key=lambda r: (-r[1], r[0])))
    )


def _kind(dtype: "pl.DataType") -> str:
    label = str(dtype)
    if dtype.is_numeric() or label == "Boolean":
        return "number"
    return "category" if label.startswith(("String", "Categorical", "Enum")) else ""


def _fit_faults(table: "pl.DataFrame", names: Sequence[str]) -> list[Fault]:
    faults = []
    for place, name in enumerate(names):
        if name in names[:place]:
            faults.append(Fault("columns.twice", "is named twice", name))
        elif name not in table.columns:
            hint = "the table has " + ", ".join(table.columns)
            faults.append(Fault("columns.unknown", "is not in the table", name, hint))
        elif not _kind(table[name].dtype):
            what = f"is {table[name].dtype}: a model takes numbers, booleans and strings"
            faults.append(Fault("columns.type", what, name))
    return faults


def _request_fault(code: str, name: str, what: str) -> RequestInvalid:
    fault = Fault(code, what, name)
    return RequestInvalid(f"column {name!r} {what}", code=code, faults=(fault,))


def _codes(values: Sequence[Any], places: Mapping[str, int], name: str) -> list[float]:
    try:
        codes = [places.get(value, -1) for value in values]
    except TypeError:
        raise _request_fault("columns.type", name, "takes strings") from None
    if -1 not in codes:
        return codes  # type: ignore[return-value]
    for code, value in zip(codes, values, strict=True):
        if code < 0 and value is not None and not isinstance(value, str):
            raise _request_fault("columns.type", name, f"takes strings, not {value!r:.40}")
    return [np.nan if code < 0 else code for code in codes]


def _numbers(values: Sequence[Any], name: str) -> Any:
    """The values as they are, once nothing among them is anything but a number or None."""
    for kind in set(map(type, values)):
        if not issubclass(kind, _NUMBERS):
            odd = next(value for value in values if type(value) is kind)
            raise _request_fault("columns.type", name, f"takes numbers, not {odd!r:.40}")
    return values


def _together(numbers: Sequence[Sequence[Any]], names: Sequence[str]) -> Any:
    """float64 [columns, rows] in one call of numpy: a call for each is what one row costs."""
    try:
        return np.array(numbers, dtype=np.float64)
    except OverflowError:
        for values, name in zip(numbers, names, strict=True):
            if any(isinstance(value, int) and abs(value) > _LARGEST for value in values):
                raise _request_fault("columns.type", name, "has a number too large") from None
        raise


def _document_faults(value: Any) -> list[Fault]:
    if not isinstance(value, dict) or set(value) != {"columns"}:
        return [Fault("columns.document", "an object with the one key 'columns' is wanted")]
    if not isinstance(value["columns"], list):
        return [Fault("columns.document", "a list is wanted", "columns")]
    faults: list[Fault] = []
    names: set[str] = set()
    for place, item in enumerate(value["columns"]):
        where = f"columns[{place}]"
        if not isinstance(item, dict):
            faults.append(Fault("columns.document", "an object is wanted", where))
            continue
        faults += [Fault("columns.document", what, where) for what in _column_faults(item)]
        name = item.get("name")
        if isinstance(name, str):
            if name in names:
                faults.append(Fault("columns.twice", f"{name!r} is named twice", where))
            names.add(name)
    return faults


def _column_faults(item: dict[Any, Any]) -> list[str]:
    faults = [f"unknown key {key!r}" for key in item if key not in ("name", "kind", "values")]
    if not isinstance(item.get("name"), str) or not item["name"]:
        faults.append("'name' must be a string, not empty")
    kind = item.get("kind")
    if kind not in _KINDS:
        faults.append("'kind' must be 'number' or 'category'")
    if kind == "number" and "values" in item:
        faults.append("a number has no 'values'")
    if kind == "category":
        values = item.get("values")
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            faults.append("'values' must be a list of strings")
        elif len(set(values)) != len(values):
            faults.append("'values' has one twice")
    return faults
