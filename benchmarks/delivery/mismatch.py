"""Ids that go to the variants in other shares than were asked for: how soon it is noticed.

A canary in three steps; of each step's ids one share is asked for, and another one goes there. Our
rule asks the product's statistic. Beside it the usual chi-squared test of level 0.01, repeated at
every look, and a share that is off by a tenth of itself at five looks.
"""

import sys
from collections.abc import Iterator
from math import log

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.delivery.rules import Course
from benchmarks.delivery.traffic import Random
from freehold.domain.statistics.assignment import log_mismatch

EVERY = 250
"""Ids between two looks."""
IDS = 20_000
"""Of one step."""
LOOKS = np.arange(EVERY, IDS + 1, EVERY)
FAILURES, OFF = 5, 0.1
NAMES = ("ours", "chi-squared, repeated", "fixed threshold")


def measured(course: Course, healthy: int, planted: int, seed: int) -> dict[str, float | None]:
    """Shares of steps that are held, and the ids that it took. `healthy`, `planted`: how many steps
    are simulated of each kind."""
    found: dict[str, float | None] = {}
    risk = course.false_rollbacks / len(course.steps)
    cases = ((0.05, 0.05), (0.5, 0.5), (0.05, 0.04), (0.5, 0.48), (0.25, 0.2))
    for number, (asked, given) in enumerate(cases):
        wrong = asked != given
        count = planted if wrong else healthy
        seen = counted(given, count, np.random.default_rng(seed + number))
        name = f"asked {asked:.0%}, given {given:.0%}"
        print(f"{name}: {count} steps", file=sys.stderr)
        for rule, looks in zip(NAMES, held(seen, asked, risk), strict=True):
            found[f"{name}, {rule}, held"] = float((looks < len(LOOKS)).mean())
            if wrong:
                median = int(np.median(looks))
                took = float(LOOKS[median]) if median < len(LOOKS) else None
                found[f"{name}, {rule}, ids, median"] = took
    return found


def counted(share: float, steps: int, random: Random) -> npt.NDArray[np.int64]:
    """Ids of the canary by each look, [steps, looks]."""
    return random.binomial(EVERY, share, (steps, len(LOOKS))).cumsum(axis=1)


def held(seen: npt.NDArray[np.int64], asked: float, risk: float) -> Iterator[npt.NDArray[np.int64]]:
    """By each rule, the number of the look at which a step is held; that of all where none is."""
    limit = log(1 / risk)
    ours = [
        [
            log_mismatch((one, ids - one), (asked, 1 - asked)) >= limit
            for one, ids in zip(row, LOOKS, strict=True)
        ]
        for row in seen.tolist()
    ]
    yield _first(np.array(ours))
    due = asked * LOOKS
    square = (seen - due) ** 2 / due + (seen - due) ** 2 / (LOOKS - due)
    yield _first(square > stats.chi2.ppf(0.99, 1))
    off = np.abs(seen / LOOKS - asked) > OFF * asked
    yield _first(off.cumsum(axis=1) >= FAILURES)


def _first(crossed: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1), crossed.shape[1])
