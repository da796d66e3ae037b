"""Why no choice will do, as an error that can be acted on. Every solver says it in these words."""

from collections.abc import Iterable, Mapping

from freehold.domain.errors import Fault, PlacementImpossible
from freehold.domain.placement import Problem


def crossing_refused(barred: Iterable[Fault]) -> PlacementImpossible:
    """`barred`: as `faults_of` tells them for a choice with the fewest."""
    return PlacementImpossible(
        "every choice makes an artifact cross where nothing may",
        code="plan.crossing",
        hint="list the crossing, or give its readers or its maker a machine at another site",
        faults=tuple(barred),
    )


def deadline_refused(problem: Problem, soonest: float, proven: bool = True) -> PlacementImpossible:
    """`soonest`: seconds; `proven`: False if it is only the soonest that was found."""
    return PlacementImpossible(
        f"nothing ends within {problem.deadline:g} s",
        why=f"the soonest that {'can be had' if proven else 'was found'} is {_up(soonest)} s",
        code="plan.deadline",
        hint=f"allow {_up(soonest)} s, or offer quicker machines",
    )


def budget_refused(problem: Problem, least: float, proven: bool = True) -> PlacementImpossible:
    """`least`: money, within the deadline; `proven`: False if it is only the least found."""
    within = "" if problem.deadline is None else f" within {problem.deadline:g} s"
    return PlacementImpossible(
        f"nothing costs as little as {problem.budget:g}{within}",
        why=f"the least that {'can be had' if proven else 'was found'}{within} is {_up(least)}",
        code="plan.budget",
        hint=f"allow {_up(least)}, or more time, or offer cheaper machines",
    )


def quota_refused(problem: Problem, peaks: Mapping[str, float]) -> PlacementImpossible:
    """`peaks`: of the pools to blame, what the best choice would use if they were not limited."""
    return PlacementImpossible(
        "the quotas leave no choice: " + ", ".join(sorted(peaks)),
        code="plan.quota",
        hint="raise the quota, or let tasks wait for each other (`after`)",
        faults=tuple(
            Fault(
                "plan.quota",
                f"the best without it has {peak:g} units in use at once, of "
                f"{problem.quotas[pool]:g}",
                f"quotas.{pool}",
            )
            for pool, peak in sorted(peaks.items())
        ),
    )


def time_refused(seconds: float) -> PlacementImpossible:
    return PlacementImpossible(
        f"nothing was found in {seconds:g} s",
        why="there may be a choice; none was found in that time, and none was excluded",
        code="plan.no-time",
        hint="give the solver more seconds, or ease the deadline, the budget or the quotas",
    )


def _up(value: float) -> str:
    """Six digits, never less than the value, so that what is hinted at suffices."""
    text = f"{value:.6g}"
    if float(text) >= value:
        return text
    return f"{float(text) + 10.0 ** (_magnitude(value) - 5):.6g}"


def _magnitude(value: float) -> int:
    return int(f"{abs(value):e}".partition("e")[2])
