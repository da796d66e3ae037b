"""The best placement where no limit is counted: a relaxation first, then whole choices only for
the parts that are not near enough to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.descent import Descent
from freehold.adapters.highs.narrowing import Left, Narrowing
from freehold.adapters.highs.parts import part_of, parts_of
from freehold.adapters.highs.program import Program
from freehold.adapters.highs.question import Question


@dataclass
class Unlimited:
    """`run` it; then `bound` holds, and `picked` is there unless it is impossible or time ran
    out. With a smaller gap it may be run again, and goes on."""

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
        self.parts = self.parts or [
            _Part(tasks, part_of(self.question, tasks)) for tasks in parts_of(self.question)
        ]
        for step in (_Part.begin, _Part.relax, _Part.settle):
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
    _narrowing: Narrowing | None = None

    def __post_init__(self) -> None:
        self.bound = sum(min(c.cost for c in choices) for choices in self.question.choices)
        self._descent = Descent(self.question)

    @property
    def excess(self) -> float:
        return self.cost - self.bound

    def begin(self, left: Left, gap: float) -> None:
        """Downhill from several beginnings."""
        del gap
        if self.picked:
            return
        for begin in self._descent.beginnings():
            if not self.picked or left() > 0.0:
                self._down(begin, left)

    def relax(self, left: Left, gap: float) -> None:
        """Downhill from fractions, too."""
        if self._known(gap) or self._narrowing is not None:
            return
        self._narrowing = Narrowing(Program(self.question), left)
        self._narrowing.relax()
        self.impossible = self._narrowing.impossible
        self.bound = max(self.bound, min(self._narrowing.bound, self.cost))
        nearest = self._narrowing.nearest
        if nearest is not None:
            self._down([choice.site for choice in nearest], left)

    def settle(self, left: Left, gap: float) -> None:
        """The best of all."""
        if self._known(gap) or self._narrowing is None:
            return
        for found in self._narrowing.search(lambda: (self.cost, self.picked or None), gap):
            for picked in found:
                self._down([choice.site for choice in picked], left)
        self.impossible = self._narrowing.impossible
        self.bound = max(self.bound, min(self._narrowing.bound, self.cost))

    def _known(self, gap: float) -> bool:
        return self.excess <= gap * self.cost

    def _down(self, begin: Sequence[int], left: Left) -> None:
        cost, sites = self._descent.down(begin, lambda: left() <= 0.0)
        if isfinite(cost) and cost < self.cost:
            self.cost, self.picked = cost, self._descent.picked(sites)
