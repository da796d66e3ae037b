"""The search for a placement: first without limits, then with those that were passed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum, inf
from time import monotonic

from freehold.adapters.highs.choices import Choice, Limits
from freehold.adapters.highs.cuts import Cut, assumed_cuts, broken, twin_cuts
from freehold.adapters.highs.narrowing import Narrowing
from freehold.adapters.highs.parts import independent
from freehold.adapters.highs.program import Program
from freehold.adapters.highs.question import Question, question_of
from freehold.adapters.highs.reduction import reduced
from freehold.adapters.highs.repair import polished, relieved
from freehold.adapters.highs.unlimited import Unlimited
from freehold.domain.errors import Fault
from freehold.domain.placement import Cost, Problem
from freehold.domain.placement_cost import cost_of, faults_of, objective_of

EXACT = 1e-7
"""Share of an objective that the arithmetic of the programs does not tell apart from nothing."""
WRITING = 1e-4
"""Seconds that it takes to write a program and to begin with it, for each choice that is left."""


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
    _assumed: bool = False
    _roomy: Question | None = None
    _limits: Limits = field(default_factory=Limits)
    _cuts: list[Cut] = field(default_factory=list)
    _narrowing: Narrowing | None = None
    """Under the limits that are counted so far."""

    @property
    def left(self) -> float:
        return self.until - monotonic()

    @property
    def proven(self) -> bool:
        allowed = max(self.gap, EXACT)
        return self.best is not None and self.best[0] * (1.0 - allowed) <= self.bound

    def run(self) -> None:
        parts = independent(self.problem)
        if len(parts) > 1:
            self._run_apart(parts)
            return
        question = self._asked()
        while not self.impossible and not self.proven and self.left > 0.0:
            if self._limits != question.limits:
                question = self._asked()
            if self.impossible:
                return
            if self._limits.pools and not self._assumed:
                self._assume()
                self._polish()
                if self.proven:
                    return
            found = self._limited(question) if self._limits.any else self._unlimited(question)
            if found is None:
                return
            faults = faults_of(self.problem, question.chosen(found))
            if not faults:
                return
            self._tighten(faults, question, found)

    def _run_apart(self, parts: Sequence[Problem]) -> None:
        """Each has its share of the time that is left, by its tasks."""
        searches = []
        waiting = sum(len(part.tasks) for part in parts)
        for part in parts:
            until = monotonic() + self.left * len(part.tasks) / waiting
            waiting -= len(part.tasks)
            search = Search(part, until, self.gap, self.of_money)
            search.run()
            searches.append(search)
            if search.impossible:
                self.impossible = True
                return
        self.bound = fsum(search.bound for search in searches)
        self.unlimited = {task: at for s in searches for task, at in s.unlimited.items()}
        if all(search.best is not None for search in searches):
            self._choose({task: at for s in searches if s.best for task, at in s.best[1].items()})

    def _asked(self) -> Question:
        question = reduced(question_of(self.problem, self._limits, self.of_money))
        self.impossible = any(not choices for choices in question.choices)
        return question

    def _unlimited(self, question: Question) -> list[Choice] | None:
        search = Unlimited(question, lambda: self.left, self.gap)
        search.run()
        self.impossible = search.impossible
        self.bound = search.bound
        if search.picked is not None:
            self._consider(question, search.picked)
        return search.picked

    def _assume(self) -> None:
        """Something good that keeps the quotas, soon: as if tasks that met always met."""
        self._assumed = True
        limits = replace(self._limits, assumed=True)
        cuts: list[Cut] = []
        until = self.left / 2
        self._relieve(self.unlimited)
        while self.left > until and not self.proven:
            question = reduced(question_of(self.problem, limits, self.of_money))
            if any(not choices for choices in question.choices):
                return
            program = Program(question)
            for cut in [*twin_cuts(question, limits.pools), *cuts]:
                program.cut(cut)
            _, found = program.solve(self.left - until, self.gap / 2)
            if not found:
                return
            self._consider(question, found[-1])
            self._relieve(question.chosen(found[-1]))
            faults = faults_of(self.problem, question.chosen(found[-1]))
            wider = replace(_wider(limits, faults), assumed=True)
            new = assumed_cuts(question, found[-1], wider.pools)
            if not faults or (wider == limits and not new):
                return
            limits, cuts = wider, [*cuts, *new]

    def _relieve(self, chosen: Mapping[str, int]) -> None:
        """Make it keep every quota, those too that were not passed yet."""
        if self._roomy is None:
            every = Limits(True, True, frozenset(self.problem.quotas), assumed=True)
            self._roomy = question_of(self.problem, every, self.of_money)
        picked = _found_again(self._roomy, chosen)
        if picked is None:
            return
        better = relieved(self._roomy, picked, lambda: self.left <= 0.0)
        if better is not None:
            self._consider(self._roomy, better)

    def _polish(self) -> None:
        question = question_of(self.problem, self._limits, self.of_money)
        start = self._start(question)
        if start is not None:
            until = self.left / 2
            self._consider(question, polished(question, start, lambda: self.left < until))

    def _limited(self, question: Question) -> list[Choice] | None:
        """What passes a limit though it is the best under those that are counted so far, or near
        it; None if there is none, or none was found in time."""
        if self._narrowing is None or self._narrowing.program.question.limits != question.limits:
            if self.left < WRITING * sum(len(choices) for choices in question.choices):
                return None
            self._narrowing = Narrowing(Program(question), lambda: self.left)
            for cut in [*twin_cuts(question, self._limits.pools), *self._cuts]:
                self._narrowing.program.cut(cut)
        narrowing, known = self._narrowing, self._narrowing.program.question
        narrowing.relax()
        self.bound = max(self.bound, narrowing.bound)
        self.impossible = narrowing.impossible
        for picked in narrowing.search(lambda: self._known(known), self.gap):
            self.bound = max(self.bound, narrowing.bound)
            if not self._consider(known, picked):
                if self._limits.pools:
                    self._relieve(known.chosen(picked))
                return picked
        self.bound = max(self.bound, narrowing.bound)
        self.impossible = narrowing.impossible
        return None

    def _known(self, question: Question) -> tuple[float, list[Choice] | None]:
        """The best so far: its objective, and its choices if the question still has them."""
        return inf if self.best is None else self.best[0], self._start(question)

    def _consider(self, question: Question, picked: Sequence[Choice]) -> bool:
        """Whether every limit is kept."""
        chosen = question.chosen(picked)
        self.unlimited = chosen
        if faults_of(self.problem, chosen):
            return False
        self._choose(chosen)
        return True

    def _choose(self, chosen: dict[str, int]) -> None:
        cost = cost_of(self.problem, chosen)
        objective = cost.money if self.of_money else objective_of(self.problem, cost)
        if self.best is None or objective < self.best[0]:
            self.best = (objective, chosen, cost)

    def _tighten(
        self, faults: Sequence[Fault], question: Question, found: Sequence[Choice]
    ) -> None:
        """Count what was passed; cut off what was passed although it is counted."""
        wider = _wider(self._limits, faults)
        if wider == self._limits:
            new = broken(question, found, wider.pools)
            self._cuts += new
            if self._narrowing is not None:
                for cut in new:
                    self._narrowing.program.cut(cut)
        self._limits = wider

    def _start(self, question: Question) -> list[Choice] | None:
        """The best so far, if the question still has it."""
        return None if self.best is None else _found_again(question, self.best[1])


def _found_again(question: Question, chosen: Mapping[str, int]) -> list[Choice] | None:
    found = [
        next((c for c in choices if c.index == chosen[name]), None)
        for name, choices in zip(question.names, question.choices, strict=True)
    ]
    picked = [choice for choice in found if choice is not None]
    return picked if len(picked) == len(found) else None


def _wider(limits: Limits, faults: Sequence[Fault]) -> Limits:
    """With what was passed."""
    codes = {fault.code for fault in faults}
    pools = {f.where.removeprefix("quotas.") for f in faults if f.code == "plan.quota"}
    return Limits(
        deadline=limits.deadline or "plan.deadline" in codes,
        budget=limits.budget or "plan.budget" in codes,
        pools=limits.pools | pools,
    )


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
