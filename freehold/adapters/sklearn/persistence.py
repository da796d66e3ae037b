"""Estimators as skops files, the same bytes each time.

skops writes what an estimator consists of as JSON and arrays, and reads it back without running
anything that the file brings: no pickle. It numbers the parts by where they lay in memory, and
dates the archive; here they are numbered in the order in which they come, and the date is fixed.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import skops.io
from skops.io.exceptions import UnsupportedTypeException

from freehold.adapters.sklearn.loader import TRUSTED
from freehold.domain.errors import AdapterFailed, NotSupported

_DATE = (1980, 1, 1, 0, 0, 0)
_SCHEMA = "schema.json"


def written(value: Any) -> bytes:
    """Raises NotSupported (`codec.unsupported`) for what consists of others' classes."""
    try:
        data = _steady(skops.io.dumps(value))
        strangers = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
    except (UnsupportedTypeException, TypeError, AttributeError, ValueError) as exc:
        raise _unsupported(value, str(exc)) from exc
    if strangers:
        raise _unsupported(value, f"it holds {', '.join(strangers)}")
    return data


def read(data: bytes) -> Any:
    """Raises AdapterFailed (`model.unreadable`)."""
    try:
        return skops.io.loads(data, trusted=TRUSTED)
    # What a damaged file makes the constructors of its parts raise is not known beforehand.
    except Exception as exc:
        raise AdapterFailed(
            "this is not a scikit-learn model", why=f"{exc!r:.200}", code="model.unreadable"
        ) from exc


def _steady(data: bytes) -> bytes:
    with ZipFile(BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop(_SCHEMA))
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    _number(schema, numbers, names, files)
    kept = {names[name]: content for name, content in files.items()}
    kept[_SCHEMA] = json.dumps(schema).encode()
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for name in sorted(kept):
            archive.writestr(ZipInfo(name, _DATE), kept[name])
    return buffer.getvalue()


def _number(
    node: Any, numbers: dict[int, int], names: dict[str, str], files: Mapping[str, bytes]
) -> None:
    if isinstance(node, list):
        for item in node:
            _number(item, numbers, names, files)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("__id__"), int):
        node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
    file = node.get("file")
    if isinstance(file, str) and file in files:
        ending = file.rpartition(".")[2]
        node["file"] = names.setdefault(file, f"{len(names) + 1}.{ending}")
    for item in node.values():
        _number(item, numbers, names, files)


def _unsupported(value: Any, why: str) -> NotSupported:
    return NotSupported(
        f"this {type(value).__name__} cannot be stored without pickle",
        why=why,
        hint="build it of scikit-learn's own classes only",
        code="codec.unsupported",
    )
