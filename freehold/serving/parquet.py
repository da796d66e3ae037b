"""`/invocations` in Parquet: the columns of a file, in two halves.

`columns_of` decodes what a stranger sent, by a native library that neither its declared sizes nor
its own care bound: a page of a few bytes may unpack to gigabytes, and a library may panic. So it is
for a process of its own, with limits (`endpoint/parquet_reader.py`). Checking a file beforehand
would not do: it may say anything of itself. What comes of it, lists of values, `request_of` takes.

Source: MLflow's scoring server gives such a body to pandas. What pandas stored as a table's index
is no column, see "pandas metadata" in its developer documentation.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import orjson
import polars as pl
from polars.exceptions import DuplicateError, PolarsError

from freehold.domain.errors import Fault, RequestInvalid
from freehold.serving.document import NOT_FINITE
from freehold.serving.prediction_log import Kinds
from freehold.serving.request import InferenceRequest, Limits, check_rows, invalid, made_request
from freehold.serving.table import Lists, tensors_of

PARQUET = "application/vnd.apache.parquet"
_TAKEN = frozenset(
    {f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
    | {f"Float{bits}" for bits in (16, 32, 64)}
    | {"Boolean", "String", "Categorical", "Enum", "Null"}
)
"""Types of columns that JSON has values for, as Polars names them."""
_READS = 64
"""Columns are read so many times at most, each time some: one by one they are named when they
fail, but each time costs a look at all that the file says of itself."""
_EACH = 8
"""Bytes that a value counts, besides those of its text."""


def columns_of(
    body: bytes, names: Sequence[str], limits: Limits, begin: Callable[[str], None] = lambda _: None
) -> Lists:
    """Those of `names` that are there; no more than `limits.body_bytes` of them. `begin` is told
    which are decoded next, in case that nothing can be told afterwards.

    Raises RequestInvalid: `request.malformed`, `request.duplicate`, `request.wrong-shape`,
    `request.wrong-type`, `request.not-finite`, `request.too-many-rows`, `request.too-large`.
    """
    try:
        frame = pl.scan_parquet(BytesIO(body), n_rows=limits.rows + 1)
        types = frame.collect_schema()
        # Without a limit it is what the file says, of which no page is read.
        rows = pl.scan_parquet(BytesIO(body)).select(pl.len()).collect().item()
        index = _index_of(pl.read_parquet_metadata(BytesIO(body)).get("pandas"))
    except DuplicateError as exc:
        raise _of_column("the body", "request.duplicate", f"{exc!s:.200}") from exc
    except PolarsError as exc:
        raise invalid("request.malformed", "the body is not Parquet", f"{exc!s:.200}") from exc
    check_rows(rows, limits, "the body")
    wanted = [name for name in names if name in types and name not in index]
    for name in wanted:
        if type(types[name]).__name__ not in _TAKEN:
            what = f"must hold numbers, texts or truth values, not {types[name]!s:.60}"
            raise _of_column(name, "request.wrong-type", what)
    left = limits.body_bytes - _EACH * rows * len(wanted)
    if left < 0:
        raise _too_large(limits)
    step = -(-len(wanted) // _READS) or 1
    columns: dict[str, list[Any]] = {}
    for some in (wanted[at : at + step] for at in range(0, len(wanted), step)):
        told = f"{', '.join(some):.200}"
        begin(told)
        try:
            read = frame.select(some).collect()
        except PolarsError as exc:
            what = "cannot be read"
            raise _of_column(told, "request.malformed", what, f"{exc!s:.200}") from exc
        if read.height != rows:
            what = f"has {read.height} rows, and the file says that there are {rows}"
            raise _of_column(told, "request.malformed", what)
        for column in read:
            left -= _text_bytes(column)
            if left < 0:
                raise _too_large(limits, column.name)
            columns[column.name] = _values(column)
    return columns


def request_of(columns: Lists, limits: Limits, kinds: Kinds) -> InferenceRequest:
    """Raises RequestInvalid: `request.malformed`, `request.wrong-type`, `request.duplicate`."""
    return made_request(tensors_of(columns, kinds), limits)


def _index_of(metadata: str | None) -> frozenset[str]:
    """Columns that pandas stored as a table's index. Raises RequestInvalid `request.malformed`."""
    if metadata is None:
        return frozenset()
    try:
        stored = orjson.loads(metadata)["index_columns"]
        return frozenset(name for name in stored if type(name) is str)
    except (ValueError, TypeError, LookupError) as exc:
        what = "what pandas keeps of the index cannot be read"
        raise invalid("request.malformed", what, f"{type(exc).__name__}: {exc!s:.100}") from exc


def _text_bytes(column: pl.Series) -> int:
    """Of all its texts as if each stood alone, which in the file they need not."""
    if column.dtype == pl.String:
        lengths = column.str.len_bytes()
    elif isinstance(column.dtype, pl.Categorical | pl.Enum):
        lengths = column.cat.len_bytes()
    else:
        return 0
    # Their own type has no room for the sum, and says nothing when it runs over.
    return int(lengths.cast(pl.UInt64).sum())


def _values(column: pl.Series) -> list[Any]:
    """NaN is null. Raises RequestInvalid `request.not-finite`."""
    if column.dtype.is_float():
        infinite = column.is_infinite().arg_true()
        if infinite.len():
            raise _of_column(column.name, NOT_FINITE, f"holds an infinity in row {infinite[0]}")
        column = column.fill_nan(None)
    return column.to_list()


def _too_large(limits: Limits, name: str = "") -> RequestInvalid:
    what = f"there is more in the columns than {limits.body_bytes} bytes"
    return _of_column(name, "request.too-large", what)


def _of_column(name: str, code: str, what: str, why: str = "") -> RequestInvalid:
    fault = Fault(code, what, name)
    return RequestInvalid(str(fault), why=why, code=code, faults=(fault,))
