"""What callers were promised, beside what they got."""

from dataclasses import dataclass

from freehold.domain.project import ObjectiveSpec
from freehold.domain.signal import Signal, Window
from freehold.domain.statistics.estimate import wilson


@dataclass(frozen=True)
class Missed:
    """More rows failed than the objective leaves room for."""

    spec: ObjectiveSpec
    rows: int
    """Asked in its days."""
    failed: int

    @property
    def sentence(self) -> str:
        room = _room(self.spec, self.rows)
        days = self.spec.days
        return f"{self.failed:,} of {self.rows:,} rows failed in {days} days, {room:,.0f} may"

    def signal(self, model: str, window: Window) -> Signal:
        """Not beyond chance, as others are: what was promised is about these rows."""
        share = wilson(self.failed, self.rows)
        if share.value is None or share.low is None or share.high is None:
            raise ValueError("nothing was asked, so nothing was missed")
        return Signal(
            kind="objective",
            model=model,
            version=0,
            feature=None,
            value=share.value,
            limit=1 - self.spec.answered,
            low=share.low,
            high=share.high,
            level=share.level,
            rows=self.rows,
            window=window,
        )


def missed(spec: ObjectiveSpec, rows: int, failed: int) -> Missed | None:
    """`rows`: asked in the objective's days, of which so many failed."""
    if not spec.answered or rows < max(1, spec.rows) or failed <= _room(spec, rows):
        return None
    return Missed(spec, rows, failed)


def _room(spec: ObjectiveSpec, rows: int) -> float:
    return (1 - spec.answered) * rows
