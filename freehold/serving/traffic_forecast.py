"""How many requests the hours ahead bring, and the replicas that should be warm for them.

Method: counts become z = sqrt(count + 3/8), whose spread hardly depends on the count (Anscombe
1948, "The transformation of Poisson, binomial and negative-binomial data"). An hour to come is what
the same hour of the last eight weeks was in the median, moved by the median slope between weeks
(Hirsch, Slack and Smith 1982, "Techniques of trend analysis for monthly water quality data") and by
how far the last week lay off the others in the median: one odd day or a burst hardly moves it. The
interval has the misses that the same method would have made in the later half of the history. It
holds hours to come as often as it says if they resemble those; on the scale of z it is as wide at
night as by day. It knows nothing within an hour: a burst of seconds is for the queue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from freehold.domain.scaling import WEEK, Targets, Warming
from freehold.serving.scaling import replicas_for

LEVEL = 0.9
DAY = 24
MOST = 8 * WEEK
"""Hours that count."""
FEWEST = 8
"""Whole hours without which nothing is said."""
TREND_FROM = 4
SHIFT_FROM = 3
"""Seasons."""
THURSDAY = 3 * DAY
"""The hour of the week at which 1970 began, UTC."""

Method = Literal[
    "hours of the week",
    "hours of the day, since there are less than two weeks",
    "one median, since there are less than two days",
    "too little history",
]
_METHODS: Mapping[int, Method] = {
    WEEK: "hours of the week",
    DAY: "hours of the day, since there are less than two weeks",
    1: "one median, since there are less than two days",
}
Values = NDArray[np.float64]


@dataclass(frozen=True)
class HourAhead:
    hour: int
    """Hours since 1970 UTC at its begin."""
    expected: float
    """Requests."""
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        return {
            "expected": self.expected,
            "high": self.high,
            "hour": self.hour,
            "low": self.low,
        }


@dataclass(frozen=True)
class TrafficForecast:
    method: Method
    history: int
    """Whole hours that it rests on."""
    level: float
    hours: tuple[HourAhead, ...]
    """A week's, or a day's where there are less than two weeks; none where too little is known."""

    @property
    def seasonal(self) -> bool:
        """Whether it tells the hours of a week apart."""
        return self.method == "hours of the week"


def hour_of_week(hour: int) -> int:
    """0 is Monday's first, UTC; `hour`: since 1970 UTC."""
    return (hour + THURSDAY) % WEEK


def forecast(counts: Mapping[int, float], now: int, level: float = LEVEL) -> TrafficForecast:
    """`counts`: requests by hour since 1970 UTC; between the first and `now`, the hour that is not
    over and does not count, an hour that is not there had none. Raises ValueError.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    if any(not count >= 0 for count in counts.values()):
        raise ValueError("counts are not negative")
    first = min((hour for hour in counts if hour < now), default=now)
    history = min(now - first, MOST)
    if history < FEWEST:
        return TrafficForecast("too little history", history, level, ())
    season = WEEK if history >= 2 * WEEK else DAY if history >= 2 * DAY else 1
    rows = history // season
    start = now - rows * season
    past = [counts.get(hour, 0.0) for hour in range(start, now)]
    seasons = np.sqrt(np.array(past) + 3 / 8).reshape(rows, season)
    following = _following(seasons)
    reach = _reach(seasons, level)
    hours = tuple(
        HourAhead(now + n, _count(z), _count(z - reach), _count(z + reach))
        for n, z in enumerate(np.resize(following, max(season, DAY)))
    )
    return TrafficForecast(_METHODS[season], history, level, hours)


def warm(told: TrafficForecast, per_second: float, targets: Targets) -> tuple[tuple[int, int], ...]:
    """Hour → replicas that its upper end needs. `per_second`: requests that one replica answers
    when it is never idle. Raises ValueError."""
    if not per_second > 0:
        raise ValueError(f"a replica answers something, not {per_second} requests a second")
    return tuple(
        (one.hour, targets.within(replicas_for(one.high / 3600 / per_second, targets)))
        for one in told.hours
    )


def schedule(hours: Sequence[tuple[int, int]], minimum: int) -> tuple[Warming, ...]:
    """Hour → replicas, of a whole week, as the runs of hours that ask for more than the minimum.

    A number that is the same all week long is no run: it is a minimum. Raises ValueError for hours
    that are no week.
    """
    week = {hour_of_week(hour): replicas for hour, replicas in hours}
    if len(week) != WEEK or len(hours) != WEEK:
        raise ValueError(f"a schedule is of {WEEK} hours, not of {len(hours)}")
    starts = [hour for hour in range(WEEK) if week[hour] != week[hour - 1 if hour else WEEK - 1]]
    ends = [*starts[1:], *starts[:1]]
    return tuple(
        Warming(start, end, week[start])
        for start, end in zip(starts, ends, strict=True)
        if week[start] > minimum
    )


def _following(seasons: Values) -> Values:
    """The season after these, shape (hours of a season,)."""
    rows = len(seasons)
    slope = _slope(seasons) if rows >= TREND_FROM and seasons.shape[1] == WEEK else 0.0
    level = seasons - slope * (np.arange(rows) - (rows - 1))[:, None]
    profile: Values = np.median(level, axis=0)
    shift = float(np.median(level[-1] - profile)) if rows >= SHIFT_FROM else 0.0
    return profile + shift + slope


def _slope(seasons: Values) -> float:
    """Of a season: the median over all pairs of the same hour."""
    rows = len(seasons)
    pairs = [(a, b) for a in range(rows) for b in range(a + 1, rows)]
    return float(np.median([(seasons[b] - seasons[a]) / (b - a) for a, b in pairs]))


def _reach(seasons: Values, level: float) -> float:
    """What `level` of the misses stay under: the rank is that of a further one."""
    rows = len(seasons)
    told = range(max(1, rows // 2), rows)
    misses = np.sort(np.concatenate([abs(seasons[n] - _following(seasons[:n])) for n in told]))
    rank = min(ceil((len(misses) + 1) * level), len(misses))
    return float(misses[rank - 1])


def _count(z: float) -> float:
    return max(0.0, max(0.0, float(z)) ** 2 - 3 / 8)
