"""Many small artifacts as one object: a ZIP, stored, beside a Parquet index of where each lies.

The ZIP is written out (APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16), which takes a tenth of
the time of the general writer and gives the same bytes everywhere: names are hexadecimal digests in
order, dates are 1980-01-01.

Where each lies is read from the directory at the ZIP's end, which is believed as far as the bytes
that it leads to have the digest that it claims. Not from the index: whoever may write into a store
may write that, no signature covers it, and a damaged length in a Parquet file makes its decoder ask
for more memory than there is, which ends the whole process. The index is for SQL, and for releases
of Freehold up to 0.1 that read no other.
"""

import struct
import zlib
from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO

import numpy as np
import numpy.typing as npt
import polars as pl

from freehold.replication.digests import ROW
from freehold.replication.fault import NotBelieved

ARTIFACT_LIMIT = 1024 * 1024
"""Bytes from which on an artifact travels by itself."""
PACK_TARGET = 32 * 1024 * 1024
"""Bytes of artifacts at which a pack is full."""
MEMBERS_LIMIT = 50_000
"""A ZIP without extensions holds 65,535."""
_PACK_LIMIT = 2 * PACK_TARGET
TAIL = 64 * 1024
"""Bytes at the end of a pack in which the directory of most lies whole."""
_DATE = (1 << 5) | 1
_VERSION = 20
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_END = struct.Struct("<IHHHHIIH")
_ENTRY = np.dtype(
    [
        ("signature", "<u4"),
        ("made", "<u2"),
        ("needed", "<u2"),
        ("flags", "<u2"),
        ("method", "<u2"),
        ("time", "<u2"),
        ("date", "<u2"),
        ("check", "<u4"),
        ("packed", "<u4"),
        ("size", "<u4"),
        ("name_length", "<u2"),
        ("extra_length", "<u2"),
        ("comment_length", "<u2"),
        ("disk", "<u2"),
        ("internal", "<u2"),
        ("external", "<u4"),
        ("header", "<u4"),
        ("name", "S64"),
    ]
)
"""An entry of the directory."""
_SAME = {
    "signature": 0x02014B50,
    "flags": 0,
    "method": 0,
    "name_length": 64,
    "extra_length": 0,
    "comment_length": 0,
    "disk": 0,
}
"""What they all have, whoever wrote them."""
_SCHEMA = {"digest": pl.String, "offset": pl.Int64, "size": pl.Int64}
PLACE = np.dtype([("digest", ROW), ("offset", "<u4"), ("size", "<u4")])
"""Where an artifact lies in its pack: bytes from its start, and bytes."""
PackPlaces = npt.NDArray[np.void]
"""Of `PLACE`."""


def encode_pack(members: Iterable[tuple[str, bytes]]) -> tuple[str, bytes, bytes]:
    """Hexadecimal digest of the ZIP, the ZIP and its index.

    `members`: hexadecimal digests, each once, and the bytes that have them; fewer than
    `MEMBERS_LIMIT`, smaller than `ARTIFACT_LIMIT` each, about `PACK_TARGET` together.
    """
    parts: list[bytes] = []
    digests, offsets, sizes, checks = [], [], [], []
    at = 0
    for digest, data in sorted(members, key=lambda member: member[0]):
        name, size, check = digest.encode(), len(data), zlib.crc32(data)
        same = (_VERSION, 0, 0, 0, _DATE, check, size, size, len(name), 0)
        parts += (_LOCAL.pack(0x04034B50, *same), name, data)
        at += _LOCAL.size + len(name)
        digests.append(digest)
        offsets.append(at)
        sizes.append(size)
        checks.append(check)
        at += size
    entries = np.zeros(len(digests), _ENTRY)
    headers = np.array(offsets, dtype=np.int64) - _LOCAL.size - _ENTRY["name"].itemsize
    about = {"made": _VERSION, "needed": _VERSION, "date": _DATE, "check": checks, "size": sizes}
    about |= {"packed": sizes, "header": headers, "name": np.array(digests, dtype="S64")}
    for field, value in {**_SAME, **about}.items():
        entries[field] = value
    end = _END.pack(0x06054B50, 0, 0, len(entries), len(entries), entries.nbytes, at, 0)
    archive = b"".join((*parts, entries.tobytes(), end))
    index = BytesIO()
    frame = pl.DataFrame({"digest": digests, "offset": offsets, "size": sizes}, schema=_SCHEMA)
    frame.write_parquet(index, compression="zstd", compression_level=1)
    return sha256(archive).hexdigest(), archive, index.getvalue()


def directory_range(tail: bytes, size: int) -> tuple[int, int]:
    """Where the directory of a ZIP of `size` bytes begins and ends, by the last of its bytes:
    `TAIL` of them, or all. Raises NotBelieved unless it ends as `encode_pack` lets it end."""
    if len(tail) < _END.size or not len(tail) <= size <= _PACK_LIMIT:
        raise NotBelieved("pack.corrupt", f"it has {size} bytes")
    signature, *disks, here, count, length, start, comment = _END.unpack(tail[-_END.size :])
    at_end = start + length + _END.size == size and length == count * _ENTRY.itemsize
    if signature != 0x06054B50 or any(disks) or here != count or comment or not at_end:
        raise NotBelieved("pack.corrupt", "it does not end as a pack does")
    if count > MEMBERS_LIMIT:
        raise NotBelieved("pack.corrupt", f"it claims {count} artifacts")
    return start, start + length


def decode_directory(directory: bytes, start: int) -> PackPlaces:
    """A row per artifact of the directory that begins at `start` of its pack.
    Raises NotBelieved unless all of them lie before it."""
    if len(directory) % _ENTRY.itemsize:
        raise NotBelieved("pack.corrupt", "its directory is cut off")
    entries = np.frombuffer(directory, _ENTRY)
    if any((entries[field] != value).any() for field, value in _SAME.items()):
        raise NotBelieved("pack.corrupt", "its directory is none of a pack")
    names = entries["name"].tobytes()
    if names.translate(None, b"0123456789abcdef"):
        raise NotBelieved("pack.corrupt", "it holds what is no artifact")
    offset = entries["header"].astype(np.int64) + _LOCAL.size + _ENTRY["name"].itemsize
    size = entries["size"].astype(np.int64)
    if (size != entries["packed"]).any() or (offset + size > start).any():
        raise NotBelieved("pack.corrupt", "its directory leads outside of it")
    if (size > ARTIFACT_LIMIT).any():
        raise NotBelieved("pack.corrupt", "it holds what would travel by itself")
    places = np.empty(len(entries), PLACE)
    places["digest"] = np.frombuffer(bytes.fromhex(names.decode()), ROW)
    places["offset"], places["size"] = offset, size
    return places
