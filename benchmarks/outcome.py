"""What was found, beside what was aimed at."""

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from benchmarks.report import machine, report


@dataclass
class Outcome:
    figures: dict[str, float | None] = field(default_factory=dict)
    """Name with its unit → number."""
    ratios: dict[str, float | None] = field(default_factory=dict)
    aims: dict[str, str] = field(default_factory=dict)
    """A ratio's or a figure's name → `met` or `missed`, or `not measured`."""
    not_measured: dict[str, str] = field(default_factory=dict)
    """What → why."""
    versions: dict[str, str] = field(default_factory=dict)

    def ratio(self, name: str, one: str, other: str) -> float | None:
        """Of two figures; None if one of them is not there."""
        above, below = self.figures.get(one), self.figures.get(other)
        self.ratios[name] = above / below if above and below else None
        return self.ratios[name]

    def aim(self, name: str, found: float | None, holds: Callable[[float], bool]) -> None:
        verdict = "not measured" if found is None else "met" if holds(found) else "missed"
        self.aims[name] = verdict

    def spread(self, name: str, seconds: Sequence[float]) -> None:
        """Median and 90th percentile, in milliseconds."""
        ordered = sorted(seconds)
        self.figures[f"{name}, median ms"] = 1000 * statistics.median(ordered)
        self.figures[f"{name}, p90 ms"] = (
            1000 * ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)]
        )

    def as_json(self, question: str) -> dict[str, Any]:
        return {
            "question": question,
            "measured": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "versions": self.versions,
            "figures": self.figures,
            "ratios": self.ratios,
            "aims": self.aims,
            "not_measured": self.not_measured,
        }

    def show(self, question: str, *, as_json: bool) -> None:
        if as_json:
            print(json.dumps(self.as_json(question)))
            return
        report(question, self.figures, self.ratios, self.versions)
        for title, rows in (("aims", self.aims), ("not measured", self.not_measured)):
            for name, text in rows.items():
                print(f"  {title}: {name}: {text}")


def tell(text: str) -> None:
    """How far it is, where it does not mix with the result."""
    print(text, file=sys.stderr, flush=True)
