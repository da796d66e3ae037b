"""The search for a placement: first without limits, then with those that were passed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

from freehold.adapters.highs.cuts import Cut, broken, twin_cuts
from freehold.adapters.highs.descent import descended
from freehold.adapters.highs.program import Program
from freehold.adapters.highs.question import Choice, Question, question_of
from freehold.adapters.highs.reduction import Limits, reduced
from freehold.domain.errors import Fault
from freehold.domain.placement import Cost, Problem
from freehold.domain.placement_cost import cost_of, faults_of, objective_of

EXACT = 1e-7
"""Share of an objective that the arithmetic of the programs does not tell apart from nothing."""


@dataclass
class Search:
    """`run` it; then `best` is there, or `impossible`, or time ran out."""

    problem: Problem
    until: float
    """As time.monotonic counts."""
    gap: float
    of_money: bool = False
    """Whether money is made small, whatever the problem's objective."""
    bound: float = 0.0
    best: tuple[float, dict[str, int], Cost] | None = None
    impossible: bool = False
    unlimited: dict[str, int] = field(default_factory=dict)
    """The last choice that met what it was asked for; it may pass a limit."""
    _question: Question = field(init=False)
    _limits: Limits = field(default_factory=Limits)
    _cuts: list[Cut] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._question = question_of(self.problem)
        if self.of_money:
            self._question = self._question.for_money()

    @property
    def left(self) -> float:
        return self.until - monotonic()

    @property
    def proven(self) -> bool:
        allowed = max(self.gap, EXACT)
        return self.best is not None and self.best[0] * (1.0 - allowed) <= self.bound

    def run(self) -> None:
        while not self.impossible and not self.proven and self.left > 0.0:
            found = self._solve(reduced(self._question, self._limits))
            if found is None:
                return
            faults = faults_of(self.problem, self._question.chosen(found))
            if not faults:
                return
            self._tighten(faults, found)

    def _solve(self, question: Question) -> list[Choice] | None:
        """The best under the limits that are counted so far; None if there is none, or none was
        found in time."""
        if any(not choices for choices in question.choices):
            self.impossible = True
            return None
        start = None
        if not self._limits.any:
            start = descended(question, lambda: self.left < 0.0)
        program = Program(question, self._limits)
        for cut in [*twin_cuts(question, self._limits.pools), *self._cuts]:
            program.cut(cut)
        outcome, found = program.solve(self.left, self.gap, start)
        self.impossible = not outcome.feasible
        self.bound = max(self.bound, outcome.bound)
        for picked in found:
            self._consider(picked)
        return found[-1] if found else None

    def _consider(self, picked: Sequence[Choice]) -> None:
        chosen = self._question.chosen(picked)
        self.unlimited = chosen
        if faults_of(self.problem, chosen):
            return
        cost = cost_of(self.problem, chosen)
        objective = cost.money if self.of_money else objective_of(self.problem, cost)
        if self.best is None or objective < self.best[0]:
            self.best = (objective, chosen, cost)

    def _tighten(self, faults: Sequence[Fault], found: Sequence[Choice]) -> None:
        """Count what was passed; cut off what was passed although it is counted."""
        codes = {fault.code for fault in faults}
        pools = {f.where.removeprefix("quotas.") for f in faults if f.code == "plan.quota"}
        wider = Limits(
            deadline=self._limits.deadline or "plan.deadline" in codes,
            budget=self._limits.budget or "plan.budget" in codes,
            pools=self._limits.pools | pools,
        )
        if wider == self._limits:
            self._cuts += broken(self._question, found, wider.pools)
        self._limits = wider


@dataclass
class Soonest:
    """The choice that ends first, whatever it costs and uses."""

    problem: Problem
    until: float
    seconds: float = inf
    proven: bool = False

    def run(self) -> None:
        question = question_of(self.problem)
        kept = reduced(question, Limits(deadline=True))
        program = Program(kept, Limits(), soonest=True)
        outcome, found = program.solve(self.until - monotonic(), 0.0)
        for picked in found:
            self.seconds = min(self.seconds, cost_of(self.problem, question.chosen(picked)).seconds)
        self.proven = self.seconds <= outcome.bound * (1 + 1e-6)


def without_limits(problem: Problem) -> Problem:
    return replace(problem, deadline=None, budget=None, quotas={})
