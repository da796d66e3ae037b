"""Whole choices from a program's fractions: first among those that the relaxation has shares of,
then among more, until what is left out cannot be better than what is known."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.program import Program
from freehold.adapters.highs.question import Figures
from freehold.adapters.highs.rows import Outcome

WIDTHS = (0.0, 0.01, 0.1)
"""Shares of the bound by which a choice may make everything dearer and is still looked at, one
after the other while nothing is known."""
WORTH = 0.7
"""Share of the choices that may be left at most for the program to be written anew."""
Left = Callable[[], float]
"""Seconds until time is out."""


@dataclass
class Narrowing:
    """`relax` it, then go through `search`; rows may be added to the program before each."""

    program: Program
    left: Left
    bound: float = -inf
    impossible: bool = False
    """It is proven that nothing fits."""
    _ceiling: float = inf
    """What is not in the program any more leads to nothing below it."""
    _shares: Figures | None = None
    _rises: Figures | None = None
    _least: float = -inf
    """The relaxation's objective, to which the rises are added."""

    def relax(self, known: float = inf, start: Sequence[Choice] | None = None) -> None:
        """The bound, if there is time. What cannot be better than `known`, the objective of
        `start`, leaves the program for good."""
        while True:
            outcome = self.program.relaxed(self.left)
            self._bounded(outcome)
            if not outcome.values:
                return
            self._shares, self._rises = outcome.values[0], outcome.rises
            self._least = outcome.bound
            if start is None:
                return
            kept = self._kept(known - self._least, start)
            if _count(kept) > WORTH * _count(self.program.question.choices):
                return
            self.program = self.program.among(kept)
            self._shares = self._rises = None
            self._ceiling = min(self._ceiling, known)

    def _bounded(self, outcome: Outcome, ceiling: float = inf) -> None:
        """`ceiling`: as of the program, of what was left out for this outcome alone."""
        ceiling = min(ceiling, self._ceiling)
        self.bound = max(self.bound, min(outcome.bound if outcome.feasible else inf, ceiling))
        self.impossible = not outcome.feasible and ceiling == inf

    @property
    def nearest(self) -> list[Choice] | None:
        """By task, the choice of which the relaxation has most; it may break every law."""
        return None if self._shares is None else self.program.nearest(self._shares)

    def search(
        self, best: Callable[[], tuple[float, Sequence[Choice] | None]], gap: float
    ) -> Iterator[list[list[Choice]]]:
        """What is found at each width, the best last, or nothing, while `best` (its objective, and
        where to start from) is further than `gap` from the bound.

        A choice that is left out because it makes everything dearer by more than a width leads to
        nothing below the relaxation's objective and that width.
        """
        if self._rises is None:
            return
        width = -1.0
        while True:
            known, start = best()
            if self.left() <= 0.0 or (known < inf and known - self.bound <= gap * known):
                return
            width = self._wider(width, known, gap)
            kept = self._kept(width, start)
            outcome, found = self._solve(kept, gap / 2, start)
            everything = _count(kept) == _count(self.program.question.choices)
            self._bounded(outcome, inf if everything else self._least + width)
            yield found
            if everything or self._least + width >= known:
                return

    def _wider(self, width: float, known: float, gap: float) -> float:
        """Twice what would prove that `known` is near enough, if nothing better is found in it; in
        the end, all that could be better."""
        if known == inf:
            widths = [*(share * abs(self._least) for share in WIDTHS), inf]
            return next(wider for wider in widths if wider > width)
        enough = known * (1.0 - gap) - self._least
        return min(max(2.0 * enough, 4.0 * width), known - self._least)

    def _kept(self, width: float, start: Sequence[Choice] | None) -> tuple[tuple[Choice, ...], ...]:
        """What makes everything dearer by no more than the width, or is of the start."""
        assert self._rises is not None and self._shares is not None
        most = width + 1e-6 * abs(self._least) + 1e-9
        near = (self._rises <= most) | (self._shares > 1e-9)
        return tuple(
            tuple(
                choice
                for choice, column in zip(choices, columns, strict=True)
                if near[column] or (start and start[task].index == choice.index)
            )
            for task, (choices, columns) in enumerate(
                zip(self.program.question.choices, self.program.taken, strict=True)
            )
        )

    def _solve(
        self, kept: Sequence[Sequence[Choice]], gap: float, start: Sequence[Choice] | None
    ) -> tuple[Outcome, list[list[Choice]]]:
        program = self.program.among(kept)
        outcome = program.relaxed(self.left)
        if not outcome.feasible:
            return outcome, []
        # While nothing is known, others get a turn.
        return program.solve(self.left() if start else self.left() / 2, gap, start)


def _count(choices: Sequence[Sequence[Choice]]) -> int:
    return sum(len(of_task) for of_task in choices)
