"""The columns of a request that comes as rows, as columns or as a matrix, without datatypes.

What no model takes is let pass unread, so that no more is kept than models and rows have.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from freehold.domain.errors import Fault
from freehold.serving.prediction_log import Kinds
from freehold.serving.request import ID, invalid, raise_any
from freehold.serving.tensor import Tensor

Lists = Mapping[str, list[Any]]
"""Values by column, all of one length; a number, a string or null each, if it is as it should."""

_NONE = type(None)
_TEXTS: frozenset[type] = frozenset({str, _NONE})
_NUMBERS: frozenset[type] = frozenset({int, float, bool, _NONE})


def lists_of_rows(rows: Sequence[Any], kinds: Kinds, where: str, *, fill: bool) -> Lists:
    """Of objects. `fill`: a name that some rows have and others lack is null in those.

    Raises RequestInvalid: `request.malformed`, `request.column-missing`.
    """
    faults = [
        Fault("request.malformed", "must be an object", f"{where}[{place}]")
        for place, row in enumerate(rows)
        if type(row) is not dict
    ]
    raise_any(faults)
    lists = {}
    for name in (*kinds, ID):
        if fill:
            if any(name in row for row in rows):
                lists[name] = [row.get(name) for row in rows]
            continue
        count = sum(name in row for row in rows)
        if count == len(rows):
            lists[name] = [row[name] for row in rows]
        elif count:
            place = next(place for place, row in enumerate(rows) if name not in row)
            fault = Fault("request.column-missing", "is missing", f"{where}[{place}].{name}")
            faults.append(fault)
    raise_any(faults)
    return lists


def lists_of_matrix(rows: Sequence[Any], names: Sequence[str], kinds: Kinds, where: str) -> Lists:
    """Of lists of as many values as there are names; where there is one name, of values, too.

    Raises RequestInvalid `request.wrong-shape`.
    """
    if len(names) == 1 and not any(type(row) is list for row in rows):
        rows = [[value] for value in rows]
    for place, row in enumerate(rows):
        if type(row) is not list or len(row) != len(names):
            told = ", ".join(names)
            what = f"{where}[{place}] must be a list of {len(names)} values: {told:.200}"
            raise invalid("request.wrong-shape", what)
    kept = [(place, name) for place, name in enumerate(names) if name in kinds or name == ID]
    return {name: [row[place] for row in rows] for place, name in kept}


def lists_of_columns(columns: Mapping[str, Any], kinds: Kinds, where: str) -> Lists:
    """Of lists, of values or of lists of one value; or of values, which are one row.

    Raises RequestInvalid `request.wrong-shape`.
    """
    kept = {name: columns[name] for name in (*kinds, ID) if name in columns}
    if kept and not any(type(values) in (list, dict) for values in columns.values()):
        return {name: [value] for name, value in kept.items()}
    faults = []
    lists = {}
    for name, values in kept.items():
        if type(values) is not list:
            faults.append(Fault("request.wrong-shape", "must be a list", f"{where}.{name}"))
        elif values and all(type(value) is list and len(value) == 1 for value in values):
            lists[name] = [value[0] for value in values]
        else:
            lists[name] = values
    sizes = {len(values) for values in lists.values()}
    if len(sizes) > 1:
        what = f"the columns have {' and '.join(map(str, sorted(sizes)))} rows"
        faults.append(Fault("request.wrong-shape", what, where))
    raise_any(faults)
    return lists


def tensors_of(lists: Lists, kinds: Kinds) -> dict[str, Tensor]:
    """Raises RequestInvalid: `request.wrong-type` with every column that is of another kind,
    `request.malformed` if none is known.
    """
    if not lists:
        known = ", ".join(kinds)
        what = "the request has none of the columns that the model takes"
        raise invalid("request.malformed", what, f"there are: {known:.200}")
    faults = []
    tensors = {}
    for name, values in lists.items():
        is_text = name == ID or kinds[name] == "category"
        taken = _TEXTS if is_text else _NUMBERS
        if not taken.issuperset(map(type, values)):
            row = next(row for row, value in enumerate(values) if type(value) not in taken)
            wanted = "a string" if is_text else "a number"
            what = f"must be {wanted} or null, not {values[row]!r:.40}, in row {row}"
            faults.append(Fault("request.wrong-type", what, name))
        tensors[name] = Tensor(name, "BYTES" if is_text else "FP64", values)
    raise_any(faults)
    return tensors


def check_names(names: Iterable[Any], where: str) -> None:
    """Raises RequestInvalid: `request.malformed`, `request.duplicate`."""
    seen = set()
    for place, name in enumerate(names):
        if type(name) is not str:
            raise invalid("request.malformed", f"{where}[{place}] must be a string")
        if name in seen:
            raise invalid("request.duplicate", f"{where}: {name!r:.60} stands twice")
        seen.add(name)
