"""Many digests in little memory."""

import re
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import numpy.typing as npt

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_AT_ONCE = 1024
"""Digests that are text at a time."""

ROW = np.dtype("S32")
"""A SHA-256. numpy cuts zeros off the end of one that is taken out by itself: take out slices."""
Rows = npt.NDArray[np.bytes_]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Digests(Collection[str]):
    """`sha256:…`, in order, each once: 32 bytes for each, where a set of their texts takes 180."""

    __slots__ = ("rows",)

    def __init__(self, rows: Rows) -> None:
        """`rows`: in order, each once."""
        self.rows = rows

    @classmethod
    def of(cls, digests: Iterable[str]) -> "Digests":
        """`digests`: `sha256:…`, in any order. Raises ValueError for what is no digest."""
        if isinstance(digests, Digests):
            return digests
        gathered = bytearray()
        for digest in digests:
            gathered += bytes.fromhex(hexadecimal(digest))
        rows: Rows = np.frombuffer(gathered, ROW)
        rows.sort()
        again = rows[1:] == rows[:-1]
        return cls(rows[np.append(True, ~again)] if again.any() else rows)

    def __repr__(self) -> str:
        return f"<{len(self):,} digests>"

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        for part in self.parts(_AT_ONCE):
            yield from map("sha256:{}".format, part)

    def __contains__(self, digest: object) -> bool:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            return False
        return bool(self.find(Digests.of([digest]).rows)[0] >= 0)

    def parts(self, size: int) -> Iterator[list[str]]:
        """Hexadecimal, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield hexadecimals(self.rows[start : start + size])

    def find(self, rows: Rows) -> Positions:
        """Where among these each of `rows` is, or -1."""
        if not len(self):
            return np.full(len(rows), -1)
        nearest = np.minimum(np.searchsorted(self.rows, rows), len(self) - 1)
        return np.where(self.rows[nearest] == rows, nearest, -1)

    def only(self, mask: Mask) -> "Digests":
        """Those where it is true."""
        return Digests(self.rows[mask])


def hexadecimals(rows: Rows) -> list[str]:
    text, length = rows.tobytes().hex(), 2 * ROW.itemsize
    return [text[at : at + length] for at in range(0, len(text), length)]


def hexadecimal(digest: str) -> str:
    """Of `sha256:…`. Raises ValueError if it is no such digest."""
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise ValueError(f"not a digest of an artifact: {digest!r}")
    return found[1]
