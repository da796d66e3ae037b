"""Placement by mixed-integer programs: proven, and within a gap that is always told."""

from importlib.metadata import version
from time import monotonic

from freehold.adapters.highs.refusal import refusal_of
from freehold.adapters.highs.search import EXACT, Search
from freehold.domain.placement import Problem, Solution
from freehold.domain.placement_check import check
from freehold.domain.placement_refusal import time_refused
from freehold.ports.solver import Solver

REFUSING = 5.0
"""Seconds in which the reason of a refusal is looked for, if no more are left."""


class HighsSolver(Solver):
    def solve(self, problem: Problem, seconds: float = 60.0, gap: float = 0.01) -> Solution:
        """The objective is reckoned anew from what was chosen; `bound` is the program's."""
        check(problem)
        until = monotonic() + seconds
        search = Search(problem, until, gap)
        search.run()
        if search.impossible and search.best is None:
            raise refusal_of(problem, max(until, monotonic() + REFUSING))
        if search.best is None:
            raise time_refused(seconds)
        objective, chosen, cost = search.best
        bound = min(search.bound, objective)
        if objective - bound <= EXACT * objective:
            bound = objective
        notes: tuple[str, ...] = ()
        if not search.proven:
            notes = (f"stopped after {seconds:g} s, before the gap was as small as asked",)
        return Solution(chosen, cost, objective, bound, f"highs {version('highspy')}", notes)
