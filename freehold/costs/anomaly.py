"""A day whose cost is far off its own season.

Method: a day is compared with the median of the same weekday in the eight weeks before. How far
days usually lie off is the median absolute deviation of each earlier day from the median of the
other days of its weekday, which is what a new day's distance is, too. A day is told when it lies
more than LIMIT such deviations away (the modified z-score of Iglewicz and Hoaglin, "How to Detect
and Handle Outliers", 1993, with a higher limit than their 3.5 since one is asked about every day)
and is another by at least a fifth. Simulated on noise alone (`tests/unit/costs/test_anomaly.py`):
at most 1 day in 500 is told where noise is normal, and 1 in 100 where its tails are heavy
(Student's t, five degrees of freedom).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

from freehold.costs.forecast import whole_days

LIMIT = 4.5
DAYS = 56
FEWEST = 28
"""Earlier days without which no day is told: each weekday four times."""
SHARE = 0.2
"""Of what is usual, by which a day must differ to be worth a person's look."""
NORMAL = 1.4826
"""Median absolute deviation of normal noise → its standard deviation."""


@dataclass(frozen=True)
class Anomaly:
    day: date
    money: float
    usual: float
    """Median of the same weekday."""
    spread: float
    """What a standard deviation would be; money."""
    score: float
    """Deviations away; negative for a day that cost less."""
    days: int
    """Earlier days that it rests on."""

    def as_json(self) -> dict[str, Any]:
        return {
            "day": self.day.isoformat(),
            "days": self.days,
            "money": self.money,
            "score": self.score,
            "spread": self.spread,
            "usual": self.usual,
        }


def odd_day(days: Mapping[date, float], day: date) -> Anomaly | None:
    """Whether `day`, which must be over, is one; None also where the history is too short.

    `days`: money by day; between the first one and `day` one that is not there cost nothing.
    """
    past = whole_days(days, day, DAYS)
    if len(past) < FEWEST:
        return None
    season: dict[int, list[float]] = {}
    for earlier, money in past:
        season.setdefault(earlier.weekday(), []).append(money)
    usual = median(season[day.weekday()])
    offs = [abs(one) for values in season.values() for one in _each_off_the_others(values)]
    money = days.get(day, 0.0)
    # A cost that never moved has no spread of its own: what is worth a look stands in for it.
    floor = SHARE * abs(usual) / LIMIT
    spread = max(NORMAL * median(offs), floor)
    if spread == 0:
        spread = abs(money) / (2 * LIMIT)
    if spread == 0 or abs(money - usual) < SHARE * abs(usual):
        return None
    score = (money - usual) / spread
    return Anomaly(day, money, usual, spread, score, len(past)) if abs(score) > LIMIT else None


def _each_off_the_others(values: Sequence[float]) -> list[float]:
    """Each value less the median of the others."""
    return [
        one - median([*values[:place], *values[place + 1 :]]) for place, one in enumerate(values)
    ]
