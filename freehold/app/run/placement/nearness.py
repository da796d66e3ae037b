"""How near to the best a plan has to be, by what is asked alone: the same question, the same
answer."""

from math import prod

from freehold.domain.placement import Problem

GAP = 0.01
"""Of a large plan."""
FEW = 100_000
"""Choices that can all be looked at, so that a plan can be held against the best there is."""
SMALL = 1_000
"""Options of all steps together, as ten steps at five sites of twenty machine types have: without
quotas, what is best among them is proven in a moment."""


def gap_of(problem: Problem) -> float:
    """0 where the best is to be found."""
    if prod(len(task.options) for task in problem.tasks) <= FEW:
        return 0.0
    few = sum(len(task.options) for task in problem.tasks) <= SMALL
    return 0.0 if few and not problem.quotas else GAP
