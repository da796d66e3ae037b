"""What does the planner's way with spot machines cost, and does it keep deadlines?

`python -m benchmarks.spot [--json] [--short]`. Jobs of 3, 8 and 24 hours that save every ten
minutes run on generated traces (`traces.py` says how, and from which figures), with deadlines at
1.25 and 2 times what the fastest machine takes. Beside the planner: on demand only, greedy, Uniform
Progress, and the optimum of who knows the trace beforehand. What a late job paid counts as it is,
so that a policy may seem cheap because it is late; then it may even cost less than the optimum,
which is never late.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from benchmarks.report import report, versions_of
from benchmarks.spot import traces
from benchmarks.spot.market import SLOTS_AN_HOUR, Job, Offered, Trace, slots_of
from benchmarks.spot.optimum import least
from benchmarks.spot.planner import planner
from benchmarks.spot.policies import greedy, on_demand, uniform_progress
from benchmarks.spot.simulation import Author, simulate

QUESTION = "What does the planner's way with spot cost, and does it keep deadlines?"
FIRST_SEED, TRACES, SHORT = 1000, 300, 10
"""Seeds below were used to choose `onward`'s two constants."""
HOURS = (3, 8, 24)
"""Of work, on the fastest machine."""
SLACKS = {"tight": 1.25, "loose": 2.0}
AUTHORS: Mapping[str, Author] = {
    "on demand": on_demand,
    "greedy": greedy,
    "uniform progress": uniform_progress,
    "planner": planner,
}
CERTAIN = 1.96
"""Standard deviations of 95 %."""


@dataclass(frozen=True)
class Shares:
    """One job on one trace by one policy."""

    slack: str
    of_on_demand: float
    of_optimum: float
    in_time: bool
    redone: float
    """Work done in vain, over the job's."""

    def over(self, other: str) -> float:
        return self.of_optimum if other == "optimum" else self.of_on_demand


Found = dict[str, list[list[Shares]]]
"""By policy, trace by trace."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spot")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true")
    given = parser.parse_args()
    count = SHORT if given.short else TRACES
    if not given.json:
        print(traces.__doc__)
    figures: dict[str, float | None] = {}
    ratios: dict[str, float | None] = {}
    for name, regime in traces.REGIMES.items():
        found: Found = {policy: [] for policy in (*AUTHORS, "optimum")}
        for seed in range(FIRST_SEED, FIRST_SEED + count):
            for policy, shares in on(traces.trace(regime, seed)).items():
                found[policy].append(shares)
        print(f"{name}: {count} traces", file=sys.stderr)
        for policy, every in found.items():
            beside = [one for one in ("on demand", "optimum") if one != policy]
            if policy != "optimum":
                figures |= {f"{name}, {policy}, {k}": v for k, v in told(every).items()}
            for other in beside:
                ratios[f"{name}, {policy} / {other}"], figures[f"{name}, {policy} / {other}, ±"] = (
                    compared(every, other)
                )
    versions = versions_of("freehold", "numpy")
    versions["traces"] = f"{count} of each kind, generated from seeds {FIRST_SEED} on"
    report(QUESTION, figures, ratios, versions)


def on(trace: Trace) -> dict[str, list[Shares]]:
    """Every job by every policy."""
    found: dict[str, list[Shares]] = {policy: [] for policy in (*AUTHORS, "optimum")}
    for slack, job in jobs(trace.offers):
        best = least(trace, job)
        whole = simulate(trace, job, on_demand(trace.offers, job)).money
        found["optimum"].append(Shares(slack, best / whole, 1.0, True, 0.0))
        for policy, author in AUTHORS.items():
            outcome = simulate(trace, job, author(trace.offers, job))
            found[policy].append(
                Shares(
                    slack,
                    outcome.money / whole,
                    outcome.money / best,
                    outcome.ended and outcome.slots <= job.deadline,
                    outcome.redone / job.work,
                )
            )
    return found


def jobs(offers: tuple[Offered, ...]) -> Iterator[tuple[str, Job]]:
    fastest = max(offer.speed for offer in offers)
    for hours in HOURS:
        work = hours * SLOTS_AN_HOUR * fastest
        soonest = min(slots_of(offer, work) for offer in offers)
        for slack, times in SLACKS.items():
            yield slack, Job(work, 0, int(soonest * times))


def told(every: list[list[Shares]]) -> dict[str, float]:
    """Means over traces and jobs."""
    met = [[one.in_time for one in shares] for shares in every]
    found = {
        f"deadlines met, {slack}": float(
            np.mean([one.in_time for shares in every for one in shares if one.slack == slack])
        )
        for slack in SLACKS
    }
    return found | {
        "deadlines met, at least": at_least(float(np.mean(met)), len(every)),
        "of work redone": float(np.mean([one.redone for shares in every for one in shares])),
    }


def compared(every: list[list[Shares]], other: str) -> tuple[float, float]:
    """The mean of cost over the other's, and half of its interval of 95 %, by traces: what happens
    on one trace to several jobs is not independent."""
    means = [np.mean([one.over(other) for one in shares]) for shares in every]
    return float(np.mean(means)), float(CERTAIN * np.std(means, ddof=1) / sqrt(len(means)))


def at_least(share: float, count: int) -> float:
    """The lower end of Wilson's interval of 95 %. A trace counts once, however many jobs ran."""
    square = CERTAIN**2 / count
    spread = CERTAIN * sqrt(share * (1 - share) / count + square / (4 * count))
    return (share + square / 2 - spread) / (1 + square)


if __name__ == "__main__":
    main()
