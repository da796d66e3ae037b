"""What one version was asked and what it answered, sketched: of a part of the log, or of many."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.statistics.sketches import (
    ColumnSketch,
    NumberSketch,
    merged,
    sketch_from_json,
)


@dataclass(frozen=True)
class VersionSketch:
    model: str
    version: int
    rows: int
    inputs: Mapping[str, ColumnSketch]
    """By column, under the name that the models know."""
    score: NumberSketch
    """A row that the version failed to answer has none."""

    def merge(self, other: "VersionSketch") -> "VersionSketch":
        """Of the same version. A column that one of them has not keeps the other's rows."""
        inputs = dict(self.inputs)
        for name, one in other.inputs.items():
            inputs[name] = merged(inputs[name], one) if name in inputs else one
        rows, score = self.rows + other.rows, self.score.merge(other.score)
        return VersionSketch(self.model, self.version, rows, inputs, score)

    def as_json(self) -> dict[str, Any]:
        return {
            "inputs": {name: one.as_json() for name, one in self.inputs.items()},
            "model": self.model,
            "rows": self.rows,
            "score": self.score.as_json(),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "VersionSketch":
        """Raises ValueError if it is none."""
        try:
            score = sketch_from_json(value["score"])
            inputs = {name: sketch_from_json(one) for name, one in value["inputs"].items()}
            model, version, rows = value["model"], value["version"], value["rows"]
        except (KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"not a version's sketch: {exc!r}") from exc
        if not isinstance(score, NumberSketch):
            raise ValueError("scores are numbers")
        return cls(model, version, rows, inputs, score)


Versions = dict[tuple[str, int], VersionSketch]
"""By model and version."""


def join(known: Versions, more: Iterable[VersionSketch]) -> None:
    """Adds what is further known; a version that is new comes last."""
    for one in more:
        key = one.model, one.version
        known[key] = known[key].merge(one) if key in known else one
