"""The best placement where no limit is counted: a relaxation first, then whole choices only for
the parts that are not near enough to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.descent import Descent
from freehold.adapters.highs.parts import part_of, parts_of
from freehold.adapters.highs.program import Program
from freehold.adapters.highs.question import Figures, Question

SURE = 0.999
"""Share of a choice in the relaxation from which on it is kept while the others are settled."""
NODES = 100
"""Of the search tree, while they are."""
ROUNDS = 6
"""Of rows that are added where the relaxation breaks them."""
Left = Callable[[], float]
"""Seconds until time is out."""


@dataclass
class Unlimited:
    """`run` it; then `bound` holds, and `picked` is there unless it is impossible or time ran
    out."""

    question: Question
    """With one choice at most for each task and site."""
    left: Left
    gap: float
    impossible: bool = False
    parts: list["_Part"] = field(default_factory=list)

    @property
    def bound(self) -> float:
        return sum(part.bound for part in self.parts)

    @property
    def picked(self) -> list[Choice] | None:
        if any(not part.picked for part in self.parts):
            return None
        found = {t: c for part in self.parts for t, c in zip(part.tasks, part.picked, strict=True)}
        return [found[task] for task in range(len(self.question.names))]

    @property
    def _near(self) -> bool:
        cost = sum(part.cost for part in self.parts)
        return cost - self.bound <= self.gap * cost

    def run(self) -> None:
        self.parts = [
            _Part(tasks, part_of(self.question, tasks)) for tasks in parts_of(self.question)
        ]
        for step in (_Part.begin, _Part.relax, _Part.mend, _Part.settle):
            for part in sorted(self.parts, key=lambda part: (-part.excess, part.tasks)):
                if step is not _Part.begin and (self._near or self.left() <= 0.0):
                    return
                step(part, self.left, self.gap)
                if part.impossible:
                    self.impossible = True
                    return


@dataclass
class _Part:
    """Of the tasks; each step brings its cost and its bound nearer to each other."""

    tasks: tuple[int, ...]
    question: Question
    bound: float = 0.0
    cost: float = inf
    picked: list[Choice] = field(default_factory=list)
    impossible: bool = False
    _kept: Program | None = None
    _shares: Figures | None = None
    """Of the program's columns, in the relaxation."""

    def __post_init__(self) -> None:
        self.bound = sum(min(c.cost for c in choices) for choices in self.question.choices)
        self._descent = Descent(self.question)

    @property
    def excess(self) -> float:
        return self.cost - self.bound

    def begin(self, left: Left, gap: float) -> None:
        """Downhill from several beginnings."""
        del gap
        for begin in self._descent.beginnings():
            if not self.picked or left() > 0.0:
                self._down(begin, left)

    def relax(self, left: Left, gap: float) -> None:
        """Downhill from fractions, too."""
        if self._known(gap):
            return
        outcome = self._program().relaxed(left())
        for _ in range(ROUNDS):
            if not outcome.values or not self._program().strengthen(outcome.values[0]):
                break
            outcome = self._program().relaxed(left())
        self.impossible = not outcome.feasible
        self.bound = max(self.bound, outcome.bound)
        if outcome.values:
            self._shares = outcome.values[0]
            self._down([c.site for c in self._program().nearest(self._shares)], left)

    def mend(self, left: Left, gap: float) -> None:
        """The best of those that agree with the relaxation where that is sure of itself."""
        if self._known(gap) or self._shares is None:
            return
        taken = self._program().taken
        kept = [
            [c for c, column in zip(choices, columns, strict=True) if self._shares[column] > SURE]
            or choices
            for choices, columns in zip(self.question.choices, taken, strict=True)
        ]
        smaller = self.question.with_choices(kept)
        _, found = Program(smaller).solve(left(), gap / 2, nodes=NODES)
        if found:
            self._down([choice.site for choice in found[-1]], left)

    def settle(self, left: Left, gap: float) -> None:
        """The best of all."""
        if self._known(gap):
            return
        outcome, found = self._program().solve(left(), gap, self.picked or None)
        self.impossible = not outcome.feasible
        self.bound = max(self.bound, outcome.bound)
        for picked in found:
            self._down([choice.site for choice in picked], left)

    def _known(self, gap: float) -> bool:
        return self.excess <= gap * self.cost

    def _program(self) -> Program:
        if self._kept is None:
            self._kept = Program(self.question)
        return self._kept

    def _down(self, begin: Sequence[int], left: Left) -> None:
        cost, sites = self._descent.down(begin, lambda: left() <= 0.0)
        if isfinite(cost) and cost < self.cost:
            self.cost, self.picked = cost, self._descent.picked(sites)
