"""When a run that may wait should begin, by the carbon of the hours.

Simple on purpose: the run as a whole starts at the hour, within its deadline, whose power is
cleanest on average over its length. Published work finds that such policies get most of what there
is to gain (A. Sukprasert et al., On the Limitations of Carbon-Aware Temporal and Spatial Workload
Shifting in the Cloud, EuroSys 2024; P. Wiesner et al., Let's Wait Awhile, Middleware 2021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

HOURS = 24


@dataclass(frozen=True)
class Wait:
    hours: float
    """From now until the run begins."""
    carbon: float
    """kgCO2e of its machines when it begins then."""
    at_once: float
    """kgCO2e when it begins now."""

    def as_json(self) -> dict[str, Any]:
        return {"at_once": self.at_once, "carbon": self.carbon, "hours": self.hours}


def best_wait(
    carbon: Mapping[str, float],
    profiles: Mapping[str, Sequence[float]],
    now: float,
    length: float,
    slack: float,
) -> Wait | None:
    """None when there is nothing to choose: no hour is better than now.

    `carbon`: by site, kgCO2e of the run's machines at the average of the site's hours. `profiles`:
    by site, g/kWh in each hour of the day, UTC; a site without one is the same all day. `now`:
    hours since midnight UTC. `length`: hours that the run takes. `slack`: hours it may wait.
    """
    if not profiles or slack < 1 or not any(site in profiles for site in carbon):
        return None

    def kilograms(wait: float) -> float:
        total = 0.0
        for site, amount in carbon.items():
            hours = profiles.get(site)
            ratio = 1.0
            if hours is not None and sum(hours) > 0:
                ratio = _mean(hours, now + wait, length) / (sum(hours) / HOURS)
            total += amount * ratio
        return total

    at_once = kilograms(0.0)
    waits = [float(hour) for hour in range(floor(slack) + 1)]
    best = min(waits, key=lambda wait: (round(kilograms(wait), 12), wait))
    if best == 0.0:
        return None
    return Wait(best, kilograms(best), at_once)


def _mean(hours: Sequence[float], start: float, length: float) -> float:
    """Average of a step function with a period of a day over [start, start + length]."""
    if length <= 0:
        return hours[int(start) % HOURS]
    total, at, end = 0.0, start, start + length
    while at < end:
        following = min(floor(at) + 1.0, end)
        total += hours[int(at) % HOURS] * (following - at)
        at = following
    return total / length
