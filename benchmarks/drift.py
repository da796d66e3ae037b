"""How long does it take to hold 100,000 rows of 20 columns against a baseline?

`python -m benchmarks.drift [--json]`. Ours gives PSI, Jensen-Shannon and Kolmogorov-Smirnov with
their intervals from a stored profile. Beside it: the same three by hand with NumPy and SciPy from
the baseline's rows, and the limit, sorting each column once as float32.
"""

from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from benchmarks.report import report
from freehold.monitoring.drift import DriftReport, drift
from freehold.monitoring.profile import profile

QUESTION = "How long does it take to hold 100,000 rows of 20 columns against a baseline?"
ROWS, COLUMNS, BINS, REPEATS = 100_000, 20, 10, 7

Figures = list[tuple[float, float, float]]


def table(seed: int, moved: float) -> pl.DataFrame:
    """Float32-exact numbers; every second column has moved."""
    random = np.random.default_rng(seed)
    drawn = {
        f"x{place}": random.normal(moved * (place % 2), 1, ROWS).astype(np.float32)
        for place in range(COLUMNS)
    }
    return pl.DataFrame(drawn).cast(pl.Float64)


def by_hand(baseline: list[Any], current: list[Any]) -> Figures:
    """PSI, Jensen-Shannon distance and Kolmogorov-Smirnov statistic of each column."""
    found = []
    for before, now in zip(baseline, current, strict=True):
        edges = np.quantile(before, np.linspace(0, 1, BINS + 1))
        edges[0], edges[-1] = -np.inf, np.inf
        p = np.histogram(before, edges)[0] / len(before)
        q = np.histogram(now, edges)[0] / len(now)
        psi = float(((q - p) * np.log(q / p)).sum())
        furthest = ks_2samp(before, now, method="asymp").statistic
        found.append((psi, float(jensenshannon(p, q, base=2)), float(furthest)))
    return found


def alike(ours: DriftReport, theirs: Figures) -> None:
    """Raises if the figures differ by more than the sketch and the outer bins explain."""
    for column, (psi, distance, furthest) in zip(ours.columns, theirs, strict=True):
        pairs = (
            (column.shift.psi.value, psi),
            (column.shift.distance, distance),
            (column.kolmogorov_smirnov.value, furthest),
        )
        if any(one is None or abs(one - other) > 0.005 for one, other in pairs):
            raise AssertionError(f"{column.name}: {pairs}")


def alternately(*works: Callable[[], object]) -> list[float]:
    """Median seconds of each, taken in turns, since a shared machine has slow minutes."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS):
        for place, work in enumerate(works):
            start = perf_counter()
            work()
            taken[place].append(perf_counter() - start)
    return [median(one) for one in taken]


def measured() -> dict[str, float]:
    before, now = table(1, 0.0), table(2, 0.3)
    known = profile(before)
    arrays = [[one.to_numpy() for one in frame] for frame in (before, now)]
    alike(drift(known, now), by_hand(*arrays))
    ours, hand, limit, profiling = alternately(
        lambda: drift(known, now),
        lambda: by_hand(*arrays),
        lambda: [np.sort(one.astype(np.float32)) for one in arrays[1]],
        lambda: profile(before),
    )
    return {
        "freehold_s": ours,
        "numpy_and_scipy_by_hand_s": hand,
        "sorting_alone_s": limit,
        "freehold_columns_per_s": COLUMNS / ours,
        "freehold_profile_s": profiling,
    }


def main() -> None:
    figures = measured()
    ours = figures["freehold_s"]
    report(
        QUESTION,
        figures,
        {
            "numpy and scipy by hand / freehold": figures["numpy_and_scipy_by_hand_s"] / ours,
            "freehold / sorting alone": ours / figures["sorting_alone_s"],
        },
        {name: version(name) for name in ("numpy", "polars", "scipy")},
    )


if __name__ == "__main__":
    main()
