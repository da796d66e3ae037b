"""`python -m benchmarks.planning [--json] [--short]`; `--gap`, `--seconds` as a solver takes them.

Beside the solver: everything at the best single site, greedy step by step, and looking at all where
that is possible. Each placement is found in a process of its own, whose memory is told. Then whole
plans of generated projects, from the opened project to the explained placement, by their parts;
`--only solver` leaves them out, `--only whole` all else.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

from benchmarks.planning.measures import Measured, exact_excess, measured
from benchmarks.planning.whole import PARTS, SOLVING, VERDICTS, Whole, whole
from benchmarks.report import report, versions_of

QUESTION = "How long until the best placement is known, to within 1 %, and what does it save?"
SIZES = ((10, 5), (30, 5), (100, 10), (300, 20), (1000, 50))
SEEDS = (1, 2, 3, 4, 5)
LIMITED = (
    ("deadline", 100, 10),
    ("quotas", 100, 10),
    ("budget", 100, 10),
    ("deadline", 1000, 50),
    ("quotas", 1000, 50),
)
WHOLE_SIZES = ((100, 10, 3), (1000, 50, 1))
"""Steps, sites, and from how many seeds."""
SHORT_SIZES = SIZES[:3]
SHORT_LIMITED = LIMITED[:3]
SHORT_SEEDS = (1, 2)
SHORT_WHOLE_SIZES = WHOLE_SIZES[:1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--gap", type=float, default=0.01)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", choices=("solver", "whole"), default="")
    given = parser.parse_args()
    figures: dict[str, float | None] = {}
    ratios: dict[str, float | None] = {}
    if given.only != "whole":
        _solver(given, figures, ratios)
    if given.only != "solver":
        _whole_plans(SHORT_WHOLE_SIZES if given.short else WHOLE_SIZES, figures, ratios)
    report(QUESTION, figures, ratios, versions_of("freehold", "highspy", "numpy", "regopy"))


def _solver(
    given: argparse.Namespace, figures: dict[str, float | None], ratios: dict[str, float | None]
) -> None:
    sizes, seeds = (SHORT_SIZES, SHORT_SEEDS) if given.short else (SIZES, SEEDS)
    for steps, sites in sizes:
        name = f"{steps:,} steps × {sites} sites"
        _told(name)
        found = [measured(seed, steps, sites, given.gap, given.seconds) for seed in seeds]
        _figures(name, found, figures)
        for other, of in (("the best single site", "single"), ("greedy", "greedy")):
            shares = [
                one.objective / getattr(one, of)
                for one in found
                if one.objective is not None and getattr(one, of)
            ]
            ratios[f"{name}: cost over {other}"] = statistics.median(shares) if shares else None
    for limit, steps, sites in SHORT_LIMITED if given.short else LIMITED:
        name = f"{steps:,} steps × {sites} sites, {limit}"
        _told(name)
        found = [measured(seed, steps, sites, given.gap, given.seconds, limit) for seed in seeds]
        figures[f"{name}: found, of {len(seeds)}"] = sum(one.gap is not None for one in found)
        _figures(name, found, figures)
    _told("looking at all")
    figures["5 steps × 2 sites × 4 machines: most above the true best"] = exact_excess(
        range(5 if given.short else 20)
    )


def _whole_plans(
    sizes: Sequence[tuple[int, int, int]],
    figures: dict[str, float | None],
    ratios: dict[str, float | None],
) -> None:
    for steps, sites, seeds in sizes:
        name = f"{steps:,} steps × {sites} sites, whole plan"
        _told(name)
        found = [whole(seed + 1, steps, sites) for seed in range(seeds)]
        _whole_figures(name, found, figures)
        longer = [one.seconds / one.parts[SOLVING] for one in found]
        ratios[f"{name}: time over solving"] = statistics.median(longer)


def _whole_figures(name: str, found: Sequence[Whole], figures: dict[str, float | None]) -> None:
    seconds = [one.seconds for one in found]
    figures[f"{name}: s, median"] = statistics.median(seconds)
    figures[f"{name}: s, worst"] = max(seconds)
    figures[f"{name}: processor s, worst"] = max(one.processor for one in found)
    figures[f"{name}: gap in %, worst"] = 100 * max(one.gap for one in found)
    figures[f"{name}: MB of the process, worst"] = max(one.megabytes for one in found)
    for part in PARTS:
        figures[f"{name}, {part}: s, median"] = statistics.median(one.parts[part] for one in found)
        figures[f"{name}, {part}: % of the time"] = statistics.median(
            100 * one.parts[part] / one.seconds for one in found
        )
    figures[f"{name}: questions to policies"] = statistics.median(one.verdicts for one in found)
    figures[f"{name}: ms for each of them"] = statistics.median(
        1000 * one.parts[VERDICTS] / one.verdicts for one in found
    )


def _figures(name: str, found: Sequence[Measured], figures: dict[str, float | None]) -> None:
    """Medians and the worst."""
    seconds = [one.seconds for one in found]
    figures[f"{name}: s, median"] = statistics.median(seconds)
    figures[f"{name}: s, worst"] = max(seconds)
    figures[f"{name}: processor s, worst"] = max(one.processor for one in found)
    gaps = [one.gap for one in found if one.gap is not None]
    figures[f"{name}: gap in %, worst"] = 100 * max(gaps) if gaps else None
    figures[f"{name}: MB more than the problem, worst"] = max(one.megabytes for one in found)


def _told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
