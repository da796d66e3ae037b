"""What a month comes to, from its days so far, with an interval.

Method: a day to come costs what its weekday cost on average over the last eight weeks (under two
weeks of history, what any day did). The interval is that of a sum of days about estimated means,
by Student's t, on the residuals' variance, widened by (1 + r) / (1 - r) for a lag-one correlation
r of the residuals above zero (Bayley and Hammersley 1946, "The effective number of independent
observations"). It knows of no trend and of no plan: what a plan commits is told beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from statistics import NormalDist, fmean
from typing import Any, Literal

LEVEL = 0.9
WEEKS = 8
FEWEST = 4
"""Whole days without which nothing is said."""
SEASONAL_FROM = 14
"""Whole days from which weekdays are told apart: each was seen twice."""
MOST_CORRELATED = 0.8
"""A lag-one correlation counts as this at most: of few days it is not known better."""

Method = Literal["weekday means", "mean of days", "too little history"]


@dataclass(frozen=True)
class Forecast:
    """Money until the end of a month, what was spent included."""

    month: str
    """`2026-11`."""
    spent: float
    expected: float | None
    """None where there is too little history."""
    low: float | None
    high: float | None
    level: float
    days: int
    """Whole days that it rests on."""
    method: Method

    def as_json(self) -> dict[str, Any]:
        return {
            "days": self.days,
            "expected": self.expected,
            "high": self.high,
            "level": self.level,
            "low": self.low,
            "method": self.method,
            "month": self.month,
            "spent": self.spent,
        }


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def forecast(days: Mapping[date, float], today: date, level: float = LEVEL) -> Forecast:
    """`days`: money by day; between the first one and yesterday a day that is not there cost
    nothing. Today is not over: it counts with what its weekday costs, or with what it has cost
    where that is more. Raises ValueError for a level that is none.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    month = month_of(today)
    spent = sum(money for day, money in days.items() if month_of(day) == month and day <= today)
    past = whole_days(days, today, 7 * WEEKS)
    if len(past) < FEWEST:
        return Forecast(month, spent, None, None, None, level, len(past), "too little history")
    seasonal = len(past) >= SEASONAL_FROM
    groups = _by_group(past, seasonal)
    means = {group: fmean(values) for group, values in groups.items()}
    residuals = [money - means[_group(day, seasonal)] for day, money in past]
    freedom = len(past) - len(groups)
    variance = sum(one * one for one in residuals) / freedom
    variance *= _inflation(residuals)
    to_come = _rest_of_month(today)
    counts: dict[int, int] = {}
    for day in to_come:
        counts[_group(day, seasonal)] = counts.get(_group(day, seasonal), 0) + 1
    so_far = days.get(today, 0.0)
    rest = sum(means[group] * count for group, count in counts.items())
    rest += max(0.0, so_far - means[_group(today, seasonal)]) - so_far
    error = len(to_come) + sum(count**2 / len(groups[g]) for g, count in counts.items())
    reach = students_t(freedom, level) * (variance * error) ** 0.5
    expected = spent + max(0.0, rest)
    return Forecast(
        month,
        spent,
        expected,
        max(spent, expected - reach),
        expected + reach,
        level,
        len(past),
        "weekday means" if seasonal else "mean of days",
    )


def whole_days(days: Mapping[date, float], before: date, most: int) -> list[tuple[date, float]]:
    """The latest `most` days before `before`, from the first one that there is; those between that
    are not there cost nothing. In order."""
    earlier = [day for day in days if day < before]
    if not earlier:
        return []
    first = max(min(earlier), before - timedelta(days=most))
    return [
        (day, days.get(day, 0.0))
        for day in (first + timedelta(days=n) for n in range((before - first).days))
    ]


def students_t(freedom: int, level: float) -> float:
    """Deviations on each side that hold `level` of Student's t: Abramowitz and Stegun 26.7.5,
    within 1 % from three degrees of freedom on."""
    x = NormalDist().inv_cdf((1 + level) / 2)
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    return x + first / freedom + second / freedom**2 + third / freedom**3


def _group(day: date, seasonal: bool) -> int:
    return day.weekday() if seasonal else 0


def _by_group(past: Sequence[tuple[date, float]], seasonal: bool) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for day, money in past:
        found.setdefault(_group(day, seasonal), []).append(money)
    return found


def _rest_of_month(today: date) -> list[date]:
    """Today and the days after it."""
    found = [today]
    while month_of(following := found[-1] + timedelta(days=1)) == month_of(today):
        found.append(following)
    return found


def _inflation(residuals: Sequence[float]) -> float:
    """Of the variance of a sum of days that go up and down together."""
    square = sum(one * one for one in residuals)
    if square == 0:
        return 1.0
    lag = sum(a * b for a, b in pairwise(residuals)) / square
    lag = min(MOST_CORRELATED, max(0.0, lag))
    return (1 + lag) / (1 - lag)
