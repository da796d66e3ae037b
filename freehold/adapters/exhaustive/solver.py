"""The best placement, by looking at every one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import fsum, inf, prod
from time import monotonic

from freehold.domain.errors import Fault, NotSupported, PlacementImpossible
from freehold.domain.placement import Cost, Option, Problem, Solution, Task
from freehold.domain.placement_check import check
from freehold.domain.placement_cost import (
    busiest_of,
    cost_of,
    exceeds,
    faults_of,
    objective_of,
    options_of,
    spans_of,
)
from freehold.domain.placement_refusal import (
    budget_refused,
    crossing_refused,
    deadline_refused,
    quota_refused,
    time_refused,
)
from freehold.ports.solver import Solver

MOST = 100_000
"""Choices that are looked at; more are refused."""


class ExhaustiveSolver(Solver):
    def solve(self, problem: Problem, seconds: float = 60.0, gap: float = 0.01) -> Solution:
        """`gap` is 0 whatever was asked. Raises NotSupported above 100,000 choices."""
        del gap
        check(problem)
        count = prod(len(task.options) for task in problem.tasks)
        if count > MOST:
            raise NotSupported(
                f"{count:.3g} choices are too many to look at each",
                why=f"at most {MOST:,} are looked at",
                hint="take solver `highs`, or leave out options",
            )
        until = monotonic() + seconds
        search = _Search(problem)
        for chosen in _choices(problem.tasks):
            if monotonic() > until:
                search.stopped = True
                break
            search.look(chosen)
        return search.solution(seconds)


def _choices(tasks: Sequence[Task]) -> Iterator[dict[str, int]]:
    """In an order that does not depend on the order of the problem's parts."""
    ordered = sorted(tasks, key=lambda task: task.name)
    ranked = [
        sorted(range(len(task.options)), key=lambda i: _rank(task.options[i])) for task in ordered
    ]
    for indices in product(*ranked):
        yield {task.name: index for task, index in zip(ordered, indices, strict=True)}


def _rank(option: Option) -> tuple[object, ...]:
    figures = (option.money, option.carbon, option.seconds)
    return (option.site, option.machine, *figures, sorted(option.uses.items()))


@dataclass
class _Search:
    """The best so far, and of what was refused, what comes nearest."""

    problem: Problem
    best: tuple[float, dict[str, int], Cost] | None = None
    stopped: bool = False
    fewest_barred: tuple[Fault, ...] = ()
    soonest: float = inf
    least: float = inf
    cheapest: tuple[float, dict[str, int]] = (inf, {})
    """Within deadline and budget, whatever is in use."""
    keepable: set[str] = field(default_factory=set)
    """Pools whose quota some choice within deadline and budget keeps."""

    def look(self, chosen: dict[str, int]) -> None:
        faults = faults_of(self.problem, chosen)
        codes = {fault.code for fault in faults}
        if "plan.crossing" in codes:
            if not self.fewest_barred or len(faults) < len(self.fewest_barred):
                self.fewest_barred = faults
            return
        cost = cost_of(self.problem, chosen)
        self.soonest = min(self.soonest, cost.seconds)
        if "plan.deadline" in codes:
            return
        self.least = min(self.least, cost.money)
        if "plan.budget" in codes:
            return
        objective = objective_of(self.problem, cost)
        over = {fault.where.removeprefix("quotas.") for fault in faults}
        self.keepable |= set(self.problem.quotas) - over
        if objective < self.cheapest[0]:
            self.cheapest = (objective, chosen)
        if not over and (self.best is None or objective < self.best[0]):
            self.best = (objective, chosen, cost)

    def solution(self, seconds: float) -> Solution:
        if self.best is None:
            raise time_refused(seconds) if self.stopped else self._refusal()
        objective, chosen, cost = self.best
        notes = (f"stopped after {seconds:g} s, before all was looked at",) if self.stopped else ()
        bound = self._alone() if self.stopped else objective
        return Solution(chosen, cost, objective, bound, solver="exhaustive 1", notes=notes)

    def _alone(self) -> float:
        of = self.problem.objective.of
        return fsum(min(of(o.money, o.carbon) for o in t.options) for t in self.problem.tasks)

    def _refusal(self) -> PlacementImpossible:
        problem = self.problem
        if self.soonest == inf:
            return crossing_refused(self.fewest_barred)
        if problem.deadline is not None and exceeds(self.soonest, problem.deadline):
            return deadline_refused(problem, self.soonest)
        if problem.budget is not None and exceeds(self.least, problem.budget):
            return budget_refused(problem, self.least)
        return quota_refused(problem, self._peaks_to_blame(self.cheapest[1]))

    def _peaks_to_blame(self, chosen: Mapping[str, int]) -> dict[str, float]:
        """Pools that cannot be kept to by themselves, else all that are limited."""
        options = options_of(self.problem, chosen)
        peaks = busiest_of(options, spans_of(self.problem, options))
        blamed = set(self.problem.quotas) - self.keepable or set(self.problem.quotas)
        return {pool: peaks.get(pool, (0.0, frozenset()))[0] for pool in blamed}
