"""What a model's training data looked like: enough to measure drift, too little to hold a row.

A category's values and a number's quantiles do stand in it, so it inherits the labels of the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHAPE = 1


@dataclass(frozen=True)
class NumberProfile:
    rows: int
    nulls: int
    """Rows that hold null, NaN or infinity (beyond float32's range, too)."""
    edges: tuple[float, ...]
    """Quantiles e0 < e1 < … < ek, smallest and largest value included; none if all are null."""
    counts: tuple[int, ...]
    """Rows less than e0 (none here), equal to e0, in (e0, e1], …, in (ek-1, ek], above ek (none
    here); a single 0 when there are no edges."""
    points: tuple[float, ...]
    """Ascending values at which the distribution function is known exactly."""
    between: tuple[int, ...]
    """Rows between the point before and this one, both excluded."""
    at: tuple[int, ...]
    """Rows equal to the point."""

    def as_json(self) -> dict[str, Any]:
        return {
            "at": list(self.at),
            "between": list(self.between),
            "counts": list(self.counts),
            "edges": list(self.edges),
            "kind": "number",
            "nulls": self.nulls,
            "points": list(self.points),
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "NumberProfile":
        return cls(
            rows=value["rows"],
            nulls=value["nulls"],
            edges=tuple(map(float, value["edges"])),
            counts=tuple(value["counts"]),
            points=tuple(map(float, value["points"])),
            between=tuple(value["between"]),
            at=tuple(value["at"]),
        )


@dataclass(frozen=True)
class CategoryProfile:
    rows: int
    nulls: int
    counts: Mapping[str, int]
    """Rows of each value: the most frequent ones."""
    other: int
    """Rows of all values that are not listed."""

    def as_json(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "kind": "category",
            "nulls": self.nulls,
            "other": self.other,
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "CategoryProfile":
        return cls(value["rows"], value["nulls"], dict(value["counts"]), value["other"])


ColumnProfile = NumberProfile | CategoryProfile


@dataclass(frozen=True)
class Profile:
    rows: int
    columns: Mapping[str, ColumnProfile]
    score: NumberProfile | None
    """Of the model's scores on the rows that it was made of, if they were given."""

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": {name: one.as_json() for name, one in self.columns.items()},
            "rows": self.rows,
            "score": self.score.as_json() if self.score else None,
            "shape": SHAPE,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Profile":
        """Raises ValueError if it is not a profile of a shape that is known."""
        if value.get("shape") != SHAPE:
            raise ValueError(f"a profile of shape {value.get('shape')!r} is not known")
        try:
            score = value["score"]
            return cls(
                rows=value["rows"],
                columns={name: _column(one) for name, one in value["columns"].items()},
                score=NumberProfile.from_json(score) if score else None,
            )
        except (KeyError, TypeError) as exc:
            raise ValueError(f"not a profile: {exc}") from exc


def _column(value: Mapping[str, Any]) -> ColumnProfile:
    if value["kind"] == "number":
        return NumberProfile.from_json(value)
    if value["kind"] == "category":
        return CategoryProfile.from_json(value)
    raise ValueError(f"a column of kind {value['kind']!r} is not known")
