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
from freehold.adapters.highs.unlimited import Unlimited
from freehold.adapters.highs.walk import walk
from freehold.domain.errors import Fault
from freehold.domain.placement import Cost, Problem
from freehold.domain.placement_cost import cost_of, faults_of, objective_of

EXACT = 1e-7
"""Share of an objective that the arithmetic of the programs does not tell apart from nothing."""
CLOSER = 8
"""How much nearer the best without limits is known, once what is nearest to it passes a quota."""
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
    _walks: int = 0
    _every: Question | None = None
    """Under every limit."""
    _limits: Limits = field(default_factory=Limits)
    _cuts: list[Cut] = field(default_factory=list)
    _guesses: list[Cut] = field(default_factory=list)
    """What is assumed so that something good is found; it proves nothing."""
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
            again = self._limited(question) if self._limits.any else self._unlimited(question)
            if not again:
                return

    def _run_apart(self, parts: Sequence[Problem]) -> None:
        """Each has its share of the time that is left, by its tasks; what the small ones leave is
        for the large ones."""
        searches = []
        waiting = sum(len(part.tasks) for part in parts)
        for part in sorted(parts, key=lambda part: len(part.tasks)):
            until = monotonic() + self.left * len(part.tasks) / waiting
            waiting -= len(part.tasks)
            search = Search(part, until, self.gap, self.of_money)
            search.run()
            searches.append(search)
            if search.impossible:
                self.impossible = True
                return
        self.bound = fsum(min(s.bound, s.best[0] if s.best else inf) for s in searches)
        self.unlimited = {task: at for s in searches for task, at in s.unlimited.items()}
        if all(search.best is not None for search in searches):
            self._choose({task: at for s in searches if s.best for task, at in s.best[1].items()})

    def _asked(self) -> Question:
        every = self._every
        if every is None or every.limits != self._limits:
            every = question_of(self.problem, self._limits, self.of_money)
        question = reduced(every)
        self.impossible = any(not choices for choices in question.choices)
        return question

    def _unlimited(self, question: Question) -> bool:
        """Whether a limit was passed, so that it is counted from now on."""
        search = Unlimited(question, lambda: self.left, self.gap)
        search.run()
        self.impossible = search.impossible
        self.bound = search.bound
        if search.picked is None or self._consider(question, search.picked):
            return False
        self._count(question, search.picked)
        if self._limits.pools:
            self._walk_from(search, question)
        return True

    def _walk_from(self, search: Unlimited, question: Question) -> None:
        """What keeps quotas is often near the best without them: a better bound, a walk from there,
        and of a large problem no program need be written."""
        kept = self.left / 2
        search.gap, search.left = self.gap / CLOSER, lambda: self.left - kept
        search.run()
        self.bound = search.bound
        if search.picked is not None and not self._consider(question, search.picked):
            self._walk(self.unlimited)

    def _walk(self, chosen: Mapping[str, int]) -> None:
        """Something good that keeps every limit, soon, from what does not."""
        if self._every is None:
            limits = Limits(
                self.problem.deadline is not None,
                self.problem.budget is not None,
                frozenset(self.problem.quotas),
            )
            self._every = question_of(self.problem, limits, self.of_money)
        question = self._every
        begin = _begun(question, chosen)
        if begin is None:
            return

        def consider(picked: Sequence[Choice]) -> bool:
            self._consider(question, picked)
            return self.proven

        known = inf if self.best is None else self.best[0] - self._objective(question.chosen(begin))
        # The rest is for the program, where there is one.
        until = self.left / 2 if _writing(question) <= self.left / 2 else 0.0
        walk(question, begin, known, consider, lambda: self.left <= until, self._walks)
        self._walks += 1

    def _objective(self, chosen: Mapping[str, int]) -> float:
        cost = cost_of(self.problem, chosen)
        return cost.money if self.of_money else objective_of(self.problem, cost)

    def _limited(self, question: Question) -> bool:
        """Whether the best under the limits that are counted so far, or what is near it, passed
        one, so that it is counted or a cut was made."""
        if self._narrowing is None or self._narrowing.program.question.limits != question.limits:
            if self.left < _writing(question):
                return False
            self._narrowing = Narrowing(Program(question), lambda: self.left)
            for cut in [*twin_cuts(question, self._limits.pools), *self._cuts]:
                self._narrowing.program.cut(cut)
        narrowing = self._narrowing
        narrowing.relax(*self._known(narrowing.program.question))
        again = False
        for found in narrowing.search(lambda: self._known(narrowing.program.question), self.gap):
            question = narrowing.program.question
            self.bound = max(self.bound, narrowing.bound)
            kept = [self._consider(question, picked) for picked in found]
            if found and not kept[-1] and self._limits.pools:
                self._walk(question.chosen(found[-1]))
            if self.best is None:
                self._begin_soonest()
            if found and not kept[-1] and not self.proven:
                self._guess(question, found[-1])
                self._count(question, found[-1])
                again = True
                break
        self.bound = max(self.bound, narrowing.bound)
        self.impossible = narrowing.impossible
        return again

    def _begin_soonest(self) -> None:
        """Something that keeps every limit, however dear, from what ends first."""
        chosen = self.unlimited
        if self._limits.deadline:
            soonest = Soonest(self.problem, monotonic() + self.left / 2)
            soonest.run()
            chosen = soonest.chosen or chosen
        if not faults_of(self.problem, chosen):
            self._choose(chosen)
        else:
            self._walk(chosen)

    def _guess(self, question: Question, picked: Sequence[Choice]) -> None:
        """Walk from where one comes if tasks that met are taken to meet always."""
        pools = self._limits.pools
        self._guesses += assumed_cuts(question, picked, pools)
        if not self._guesses:
            return
        program = Program(question)
        for cut in [*twin_cuts(question, pools), *self._cuts, *self._guesses]:
            program.cut(cut)
        narrowing = Narrowing(program, lambda: self.left)
        narrowing.relax()
        found = next(narrowing.search(lambda: (inf, None), self.gap), [])
        if not found or (self.best is not None and narrowing.bound >= self.best[0]):
            self._guesses = []
        elif not self._consider(question, found[-1]):
            self._guesses += assumed_cuts(question, found[-1], pools)
        if found:
            self._walk(question.chosen(found[-1]))

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

    def _count(self, question: Question, picked: Sequence[Choice]) -> None:
        """Count what was passed; cut off what was passed although it is counted."""
        wider = _wider(self.problem, self._limits, faults_of(self.problem, question.chosen(picked)))
        if wider == self._limits and self._narrowing is not None:
            for cut in broken(question, picked, wider.pools):
                self._cuts.append(cut)
                self._narrowing.program.cut(cut)
        self._limits = wider

    def _choose(self, chosen: dict[str, int]) -> None:
        objective = self._objective(chosen)
        if self.best is None or objective < self.best[0]:
            self.best = (objective, chosen, cost_of(self.problem, chosen))

    def _start(self, question: Question) -> list[Choice] | None:
        """The best so far, if the question still has it."""
        return None if self.best is None else _found_again(question, self.best[1])


def _writing(question: Question) -> float:
    """Seconds."""
    return WRITING * sum(len(choices) for choices in question.choices)


def _found_again(question: Question, chosen: Mapping[str, int]) -> list[Choice] | None:
    found = [
        next((c for c in choices if c.index == chosen[name]), None)
        for name, choices in zip(question.names, question.choices, strict=True)
    ]
    picked = [choice for choice in found if choice is not None]
    return picked if len(picked) == len(found) else None


def _begun(question: Question, chosen: Mapping[str, int]) -> list[Choice] | None:
    """As chosen; where the question has not got that, the cheapest at the same site."""
    found = []
    for task, choices in zip(
        sorted(question.problem.tasks, key=lambda task: task.name), question.choices, strict=True
    ):
        index = chosen[task.name]
        site = task.options[index].site
        same = [choice for choice in choices if task.options[choice.index].site == site]
        if not same:
            return None
        found.append(min(same, key=lambda choice: (choice.index != index, choice.cost)))
    return found


def _wider(problem: Problem, limits: Limits, faults: Sequence[Fault]) -> Limits:
    """With what was passed; pools together, since who leaves one enters another."""
    codes = {fault.code for fault in faults}
    return Limits(
        deadline=limits.deadline or "plan.deadline" in codes,
        budget=limits.budget or "plan.budget" in codes,
        pools=frozenset(problem.quotas) if "plan.quota" in codes else limits.pools,
    )


@dataclass
class Soonest:
    """The choice that ends first, whatever it costs and uses."""

    problem: Problem
    until: float
    seconds: float = inf
    proven: bool = False
    chosen: dict[str, int] = field(default_factory=dict)
    """Empty if nothing was found in time."""

    def run(self) -> None:
        parts = independent(replace(self.problem, budget=None, quotas={}))
        found = [self._run(part) for part in parts]
        self.seconds = max(seconds for seconds, _, _ in found)
        self.proven = self.seconds <= max(bound for _, bound, _ in found) * (1 + 1e-6)
        if self.seconds < inf:
            self.chosen = {task: at for _, _, chosen in found for task, at in chosen.items()}

    def _run(self, part: Problem) -> tuple[float, float, dict[str, int]]:
        """Seconds that were found, and that it takes at least."""
        question = reduced(question_of(part, Limits(deadline=True)))
        narrowing = Narrowing(Program(question, soonest=True), lambda: self.until - monotonic())
        best: tuple[float, list[Choice] | None] = inf, None
        narrowing.relax()
        search = narrowing.search(lambda: best, 0.0)
        for found in search:
            for picked in found:
                seconds = cost_of(part, question.chosen(picked)).seconds
                best = min(best, (seconds, picked), key=lambda one: one[0])
        chosen = question.chosen(best[1]) if best[1] else {}
        return best[0], min(narrowing.bound, best[0]), chosen


def without_limits(problem: Problem) -> Problem:
    return replace(problem, deadline=None, budget=None, quotas={})
