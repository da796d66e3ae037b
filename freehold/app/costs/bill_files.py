"""Files of bills, made ready to be read: unpacked, whole, and known by their content.

What a file is, its bytes say and not its name: Parquet, JSON, else CSV, each perhaps in gzip.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import BinaryIO, Literal

from freehold.domain.errors import Fault, NotFound, Refused

CHUNK = 1 << 20
PARQUET, GZIP = b"PAR1", b"\x1f\x8b"
AGAIN = "fetch it again: it did not arrive whole"
Kind = Literal["csv", "json", "parquet"]


@dataclass(frozen=True)
class BillFile:
    name: str
    """As faults call it."""
    path: Path
    """Not compressed."""
    digest: str
    """Of the bytes as they came."""
    kind: Kind


def open_files(paths: Sequence[Path], scratch: Path) -> list[BillFile]:
    """Those of different content; a second copy of one is left out. Unpacks into `scratch`.

    Raises NotFound `bill.no-file`; Refused `bill.invalid` with a fault for each file that is empty
    or cut off.
    """
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise NotFound(
            f"no file {', '.join(missing)}",
            why="bills are read from files of this machine",
            hint="bring Parquet, CSV, or OpenCost's JSON, each perhaps with .gz",
            code="bill.no-file",
        )
    names = [path.name for path in paths]
    found: dict[str, BillFile] = {}
    faults = []
    for place, path in enumerate(paths):
        # Two folders may have a file of one name, as exports of two months do.
        name = path.name if names.count(path.name) == 1 else str(path)
        with path.open("rb") as file:
            digest = "sha256:" + _digest(file)
            packed = _head(file) == GZIP
        if digest in found:
            continue
        plain = scratch / f"{place}.plain" if packed else path
        try:
            if packed:
                _unpack(path, plain)
            kind = _kind(plain)
            faults += [Fault("bill.truncated", what, name, AGAIN) for what in _cut(plain, kind)]
            found[digest] = BillFile(name, plain, digest, kind)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            faults.append(Fault("bill.truncated", "the gzip file ends too early", name, AGAIN))
    if faults:
        raise invalid(faults)
    return list(found.values())


def invalid(faults: Sequence[Fault]) -> Refused:
    return Refused(
        "this is no bill that can be kept",
        faults=faults,
        hint="nothing was imported; correct the export, or ask its provider for a new one",
        code="bill.invalid",
    )


def _digest(file: BinaryIO) -> str:
    told = sha256()
    while chunk := file.read(CHUNK):
        told.update(chunk)
    return told.hexdigest()


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(2)


def _unpack(path: Path, plain: Path) -> None:
    with gzip.open(path) as source, plain.open("wb") as target:
        while chunk := source.read(CHUNK):
            target.write(chunk)


def _kind(path: Path) -> Kind:
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(PARQUET):
        return "parquet"
    return "json" if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") else "csv"


def _cut(path: Path, kind: Kind) -> Iterator[str]:
    """What shows that a file's end is missing."""
    size = path.stat().st_size
    if not size:
        yield "it is empty"
    elif kind == "parquet":
        with path.open("rb") as file:
            file.seek(-min(4, size), 2)
            if file.read() != PARQUET or size < 12:
                yield "the Parquet file has no end"
    elif kind == "csv":
        yield from _cut_row(path)


def _cut_row(path: Path) -> Iterator[str]:
    """A reader of CSV fills a short row up with nothing: so the last one is looked at here."""
    header, quotes, starts = b"", 0, [0]
    with path.open("rb") as file:
        header = file.readline()
        file.seek(0)
        for line in file:
            quotes += line.count(b'"')
            if quotes % 2 == 0:
                starts = [starts[-1], file.tell()]
        end = file.tell()
        if quotes % 2:
            yield "a quotation at its end is not closed"
            return
        file.seek(starts[0])
        last = file.read(end - starts[0])
    fields, columns = _fields(last), _fields(header)
    if fields != columns:
        yield f"its last row has {fields} of {columns} columns"


def _fields(record: bytes) -> int:
    return len(next(csv.reader(StringIO(record.decode(errors="replace"), newline="")), []))
