"""What the values of a column were like, in little room, and so that two say together what one of
all rows would have said.

Laws
- Merging is associative and commutative. Of numbers, merged sketches are equal to the sketch of all
  rows, but for the last digits of mean and variance; of categories, every count is right but for
  `uncertain`.
- A quantile of values whose size lies in [SMALLEST, LARGEST) is within ERROR of the true value, as
  a share of it. Smaller ones count as 0, larger ones as LARGEST.
- No sketch grows with the rows: at most `2 * SLOTS + 1` slots, or MOST values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from freehold.domain.statistics.rows import Floats

Counts = npt.NDArray[np.int64]

_STEPS = 6
"""Bits of the mantissa that a slot goes by: an octave has 64 slots of one width, as those of an HDR
histogram; the sketch is that of Masson, Rim and Lee (DDSketch, Proceedings of the VLDB Endowment
12, 2019) with a logarithm that costs a shift."""
_OCTAVES = 40
"""Below 1 and above it, that are told apart."""
SLOTS = 2 * _OCTAVES << _STEPS
SMALLEST, LARGEST = 2.0**-_OCTAVES, 2.0**_OCTAVES
ERROR = 2.0 ** -(_STEPS + 1)
"""Half of a slot's width at its lower end: below 0.8 %."""
_SHIFT = 52 - _STEPS
_FIRST = (1023 - _OCTAVES) << _STEPS
_SIZE = np.int64(2**63 - 1)
"""All bits but the sign's."""

MOST = 256
"""Values of a category that are told apart."""
LONGEST = 64
"""Characters of such a value; longer ones are counted without being named."""


@dataclass(frozen=True)
class NumberSketch:
    rows: int
    missing: int
    """Rows that hold null, NaN or infinity."""
    mean: float
    squares: float
    """Of the differences from the mean, summed."""
    least: float
    most: float
    """Infinite without a value."""
    slots: Counts
    """Ascending: 0 is the number 0, n above it the nth slot of positive, -n of negative numbers."""
    counts: Counts
    """Rows in each."""

    @property
    def values(self) -> int:
        return self.rows - self.missing

    @property
    def deviation(self) -> float | None:
        """Of the sample; None below two values."""
        return sqrt(self.squares / (self.values - 1)) if self.values > 1 else None

    def quantile(self, share: float) -> float | None:
        """The smallest value that at least this share of the values do not pass, to ERROR; None
        without values."""
        if not self.values:
            return None
        upto = np.cumsum(self.counts)
        place = np.searchsorted(upto, max(1.0, np.ceil(share * self.values)))
        return min(max(_middle(int(self.slots[place])), self.least), self.most)

    def merge(self, other: "NumberSketch") -> "NumberSketch":
        """Mean and variance after Chan, Golub and LeVeque (The American Statistician 37, 1983)."""
        values = self.values + other.values
        apart = other.mean - self.mean
        share = other.values / values if values else 0.0
        slots, places = np.unique(np.append(self.slots, other.slots), return_inverse=True)
        counts = np.zeros(len(slots), np.int64)
        np.add.at(counts, places, np.append(self.counts, other.counts))
        return NumberSketch(
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            mean=self.mean + apart * share,
            squares=self.squares + other.squares + apart**2 * self.values * share,
            least=min(self.least, other.least),
            most=max(self.most, other.most),
            slots=slots,
            counts=counts,
        )

    def as_json(self) -> dict[str, Any]:
        has_any = self.values > 0
        return {
            "counts": self.counts.tolist(),
            "kind": "number",
            "least": self.least if has_any else None,
            "mean": self.mean,
            "missing": self.missing,
            "most": self.most if has_any else None,
            "rows": self.rows,
            "slots": self.slots.tolist(),
            "squares": self.squares,
        }


@dataclass(frozen=True)
class CategorySketch:
    rows: int
    missing: int
    counts: Mapping[str, int]
    """Rows of the most frequent values, at least."""
    uncertain: int = 0
    """By so much at most a count is too small; of a value that is not there, the most that it can
    have."""

    def merge(self, other: "CategorySketch") -> "CategorySketch":
        """Misra and Gries's summaries merge so (Agarwal and others, Mergeable summaries, PODS
        2012)."""
        counts = dict(self.counts)
        for value, count in other.counts.items():
            counts[value] = counts.get(value, 0) + count
        kept, passed = _most(counts)
        return CategorySketch(
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            counts=kept,
            uncertain=self.uncertain + other.uncertain + passed,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "kind": "category",
            "missing": self.missing,
            "rows": self.rows,
            "uncertain": self.uncertain,
        }


@dataclass(frozen=True)
class PersonalSketch:
    """Of a column of which there are tokens: how often there was a value, and nothing of it."""

    rows: int
    missing: int

    def merge(self, other: "PersonalSketch") -> "PersonalSketch":
        return PersonalSketch(self.rows + other.rows, self.missing + other.missing)

    def as_json(self) -> dict[str, Any]:
        return {"kind": "personal", "missing": self.missing, "rows": self.rows}


ColumnSketch = NumberSketch | CategorySketch | PersonalSketch


def number_sketch(values: Floats) -> NumberSketch:
    """Of [n]; what is not finite is missing."""
    finite = np.isfinite(values)
    found = values if finite.all() else values[finite]
    if not len(found):
        nothing = np.zeros(0, np.int64)
        return NumberSketch(len(values), len(values), 0.0, 0.0, inf, -inf, nothing, nothing)
    least, most = float(found.min()), float(found.max())
    # The square of what is larger may be beyond a float's range.
    sized = found if max(-least, most) <= LARGEST else np.clip(found, -LARGEST, LARGEST)
    mean = float(sized.mean())
    apart = sized - mean
    slots, counts = _slotted(found)
    return NumberSketch(
        rows=len(values),
        missing=len(values) - len(found),
        mean=mean,
        squares=float(np.square(apart, out=apart).sum()),
        least=least,
        most=most,
        slots=slots,
        counts=counts,
    )


def category_sketch(rows: int, missing: int, counts: Mapping[str, int]) -> CategorySketch:
    """Of all values' counts."""
    named = {value: count for value, count in counts.items() if len(value) <= LONGEST}
    unnamed = max((count for value, count in counts.items() if len(value) > LONGEST), default=0)
    kept, passed = _most(named)
    return CategorySketch(rows, missing, kept, max(passed, unnamed))


def merged(one: ColumnSketch, other: ColumnSketch) -> ColumnSketch:
    """What both know: of a column that was personal, or of another kind, for a while, the rows."""
    if isinstance(one, NumberSketch) and isinstance(other, NumberSketch):
        return one.merge(other)
    if isinstance(one, CategorySketch) and isinstance(other, CategorySketch):
        return one.merge(other)
    return PersonalSketch(one.rows + other.rows, one.missing + other.missing)


def sketch_from_json(value: Mapping[str, Any]) -> ColumnSketch:
    """Raises ValueError if it is none that is known."""
    try:
        match value["kind"]:
            case "number":
                least, most = value["least"], value["most"]
                return NumberSketch(
                    rows=value["rows"],
                    missing=value["missing"],
                    mean=float(value["mean"]),
                    squares=float(value["squares"]),
                    least=inf if least is None else float(least),
                    most=-inf if most is None else float(most),
                    slots=np.array(value["slots"], np.int64),
                    counts=np.array(value["counts"], np.int64),
                )
            case "category":
                counts = dict(value["counts"])
                return CategorySketch(value["rows"], value["missing"], counts, value["uncertain"])
            case "personal":
                return PersonalSketch(value["rows"], value["missing"])
            case other:
                raise ValueError(f"a sketch of kind {other!r} is not known")
    except (KeyError, TypeError) as exc:
        raise ValueError(f"not a sketch: {exc!r}") from exc


def _slotted(values: Floats) -> tuple[Counts, Counts]:
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    slots = (bits & _SIZE) >> _SHIFT
    slots -= _FIRST - 1
    np.clip(slots, 0, SLOTS, out=slots)
    # A size of 0 is the number 0, whatever its sign. Of negative numbers `sign` has all bits: this
    # negates them, ten times as fast as choosing would.
    sign = bits >> 63
    slots ^= sign
    slots -= sign
    slots += SLOTS
    counted = np.bincount(slots)
    places = np.flatnonzero(counted)
    return (places - SLOTS).astype(np.int64), counted[places].astype(np.int64)


def _middle(slot: int) -> float:
    """Of the numbers that count as it."""
    if slot == 0:
        return 0.0
    size = abs(slot) - 1
    octave, step = divmod(size, 1 << _STEPS)
    middle = 2.0 ** (octave - _OCTAVES) * (1 + (step + 0.5) / (1 << _STEPS))
    return middle if slot > 0 else -middle


def _most(counts: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """MOST of them, each less what the first one that is left out has, and that."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) <= MOST:
        return dict(ordered), 0
    passed = ordered[MOST][1]
    return {value: count - passed for value, count in ordered if count > passed}, passed
