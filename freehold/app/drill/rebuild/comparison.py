"""Two makings of one pipeline, step by step and digest by digest; in figures where they differ."""

from dataclasses import dataclass
from typing import Any

from freehold.app.drill.rebuild.made import Made, largest_difference


@dataclass(frozen=True)
class ComparedArtifact:
    step: str
    output: int
    before: str
    after: str
    size: int
    """Bytes, of the rebuilt one."""

    @property
    def same(self) -> bool:
        return self.before == self.after

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "same": self.same}


@dataclass(frozen=True)
class ComparedFigure:
    name: str
    before: float
    after: float
    tolerance: float

    @property
    def difference(self) -> float:
        return abs(self.after - self.before)

    @property
    def holds(self) -> bool:
        """NaN holds nowhere."""
        return self.difference <= self.tolerance

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "difference": self.difference, "holds": self.holds}


@dataclass(frozen=True)
class Comparison:
    artifacts: tuple[ComparedArtifact, ...]
    package: tuple[str, str]
    """Digests of the two payloads; empty where there is no model."""
    figures: tuple[ComparedFigure, ...]
    """Of the model's evidence; always all of them, though they decide only where digests differ."""
    rows: int
    """That both models scored."""
    score_difference: float
    """The largest of any row."""
    tolerance: float
    faults: tuple[str, ...]
    """Why the one is not the other, in words; empty if it is, or is within the tolerance."""

    @property
    def identical(self) -> bool:
        return all(one.same for one in self.artifacts) and self.package[0] == self.package[1]

    @property
    def differing(self) -> tuple[str, ...]:
        found = dict.fromkeys(one.step for one in self.artifacts if not one.same)
        return (*found, *(["package"] if self.package[0] != self.package[1] else []))

    def as_json(self) -> dict[str, Any]:
        return {
            "identical": self.identical,
            "differing": list(self.differing),
            "artifacts": [one.as_json() for one in self.artifacts],
            "package": {"before": self.package[0], "after": self.package[1]},
            "figures": [one.as_json() for one in self.figures],
            "rows": self.rows,
            "score_difference": self.score_difference,
            "tolerance": self.tolerance,
            "faults": list(self.faults),
        }


def compare(before: Made, after: Made, tolerance: float) -> Comparison:
    """`tolerance`: how far a figure of the evidence, and the score of any row, may be off where
    the bytes are not the same."""
    artifacts = tuple(_artifacts(before, after))
    figures = tuple(
        ComparedFigure(name, before.figures[name], after.figures[name], tolerance)
        for name in sorted(before.figures.keys() & after.figures.keys())
    )
    off = largest_difference(before.scores, after.scores)
    package = (before.package, after.package)
    same = all(one.same for one in artifacts) and package[0] == package[1]
    faults = [] if same else _faults(before, after, figures, off, tolerance)
    return Comparison(artifacts, package, figures, len(after.scores), off, tolerance, tuple(faults))


def _artifacts(before: Made, after: Made) -> list[ComparedArtifact]:
    found = []
    for step in dict.fromkeys([*before.steps, *after.steps]):
        old, new = before.steps.get(step), after.steps.get(step)
        for at in range(max(len(one.digests) if one else 0 for one in (old, new))):
            has_old = old is not None and at < len(old.digests)
            has_new = new is not None and at < len(new.digests)
            found.append(
                ComparedArtifact(
                    step,
                    at,
                    old.digests[at] if old is not None and has_old else "",
                    new.digests[at] if new is not None and has_new else "",
                    new.sizes[at] if new is not None and has_new else 0,
                )
            )
    return found


def _faults(
    before: Made, after: Made, figures: tuple[ComparedFigure, ...], off: float, tolerance: float
) -> list[str]:
    if not before.package or not after.package:
        return ["artifacts differ, and no model came of them by which they could be measured"]
    found = [
        f"{one.name} was {one.before:.6g} and is {one.after:.6g}: off by {one.difference:.3g},"
        f" allowed is {one.tolerance:g}"
        for one in figures
        if not one.holds
    ]
    found += [
        f"{name} has a value on one side only"
        for name in sorted(before.figures.keys() ^ after.figures.keys())
    ]
    if not off <= tolerance:
        found.append(f"the score of a row is off by {off:.3g}, allowed is {tolerance:g}")
    return found
