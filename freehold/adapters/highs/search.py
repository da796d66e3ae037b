"""The search for a placement: first without limits, then with those that were passed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

from freehold.adapters.highs.choices import Choice, Limits
from freehold.adapters.highs.cuts import Cut, broken, twin_cuts
from freehold.adapters.highs.program import Program
from freehold.adapters.highs.question import Question, question_of
from freehold.adapters.highs.reduction import reduced
from freehold.adapters.highs.unlimited import Unlimited
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
    _limits: Limits = field(default_factory=Limits)
    _cuts: list[Cut] = field(default_factory=list)

    @property
    def left(self) -> float:
        return self.until - monotonic()

    @property
    def proven(self) -> bool:
        allowed = max(self.gap, EXACT)
        return self.best is not None and self.best[0] * (1.0 - allowed) <= self.bound

    def run(self) -> None:
        while not self.impossible and not self.proven and self.left > 0.0:
            question = question_of(self.problem, self._limits, self.of_money)
            kept = reduced(question)
            if any(not choices for choices in kept.choices):
                self.impossible = True
                return
            found = self._limited(kept) if self._limits.any else self._unlimited(kept)
            if found is None:
                return
            faults = faults_of(self.problem, question.chosen(found))
            if not faults:
                return
            self._tighten(faults, question, found)

    def _unlimited(self, question: Question) -> list[Choice] | None:
        search = Unlimited(question, lambda: self.left, self.gap)
        search.run()
        self.impossible = search.impossible
        self.bound = search.bound
        if search.picked is not None:
            self._consider(question, search.picked)
        return search.picked

    def _limited(self, question: Question) -> list[Choice] | None:
        """The best under the limits that are counted so far; None if there is none, or none was
        found in time."""
        program = Program(question)
        for cut in [*twin_cuts(question, self._limits.pools), *self._cuts]:
            program.cut(cut)
        outcome, found = program.solve(self.left, self.gap)
        self.impossible = not outcome.feasible
        self.bound = max(self.bound, outcome.bound)
        for picked in found:
            self._consider(question, picked)
        return found[-1] if found else None

    def _consider(self, question: Question, picked: Sequence[Choice]) -> None:
        chosen = question.chosen(picked)
        self.unlimited = chosen
        if faults_of(self.problem, chosen):
            return
        cost = cost_of(self.problem, chosen)
        objective = cost.money if self.of_money else objective_of(self.problem, cost)
        if self.best is None or objective < self.best[0]:
            self.best = (objective, chosen, cost)

    def _tighten(
        self, faults: Sequence[Fault], question: Question, found: Sequence[Choice]
    ) -> None:
        """Count what was passed; cut off what was passed although it is counted."""
        codes = {fault.code for fault in faults}
        pools = {f.where.removeprefix("quotas.") for f in faults if f.code == "plan.quota"}
        wider = Limits(
            deadline=self._limits.deadline or "plan.deadline" in codes,
            budget=self._limits.budget or "plan.budget" in codes,
            pools=self._limits.pools | pools,
        )
        if wider == self._limits:
            self._cuts += broken(question, found, wider.pools)
        self._limits = wider


@dataclass
class Soonest:
    """The choice that ends first, whatever it costs and uses."""

    problem: Problem
    until: float
    seconds: float = inf
    proven: bool = False

    def run(self) -> None:
        question = question_of(self.problem, Limits(deadline=True))
        program = Program(reduced(question), soonest=True)
        outcome, found = program.solve(self.until - monotonic(), 0.0)
        for picked in found:
            self.seconds = min(self.seconds, cost_of(self.problem, question.chosen(picked)).seconds)
        self.proven = self.seconds <= outcome.bound * (1 + 1e-6)


def without_limits(problem: Problem) -> Problem:
    return replace(problem, deadline=None, budget=None, quotas={})
