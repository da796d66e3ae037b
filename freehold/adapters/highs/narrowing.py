"""Whole choices from a program's fractions: first among those that the relaxation has shares of,
then among more, until what is left out cannot be better than what is known."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.program import Program
from freehold.adapters.highs.question import Figures
from freehold.adapters.highs.rows import Outcome

WIDTHS = (0.0, 0.01, 0.1, inf)
"""Shares of the bound by which a choice may make everything dearer and is still looked at."""
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
    _shares: Figures | None = None
    _rises: Figures | None = None
    _least: float = -inf
    """The relaxation's objective, to which the rises are added."""

    def relax(self) -> None:
        """Nothing but `bound` or `impossible` comes of it, and the bound only if there is time."""
        outcome = self.program.relaxed(self.left)
        self.impossible = not outcome.feasible
        if outcome.values:
            self._shares, self._rises = outcome.values[0], outcome.rises
            self._least = outcome.bound
            self.bound = max(self.bound, outcome.bound)

    @property
    def nearest(self) -> list[Choice] | None:
        """By task, the choice of which the relaxation has most; it may break every law."""
        return None if self._shares is None else self.program.nearest(self._shares)

    def search(
        self, best: Callable[[], tuple[float, Sequence[Choice] | None]], gap: float
    ) -> Iterator[list[Choice]]:
        """What is found, one better than the other, while `best` (its objective, and where to start
        from) is further than `gap` from the bound.

        A choice that is left out because it makes everything dearer by more than a width leads to
        nothing below the relaxation's objective and that width.
        """
        if self._rises is None:
            return
        for share in WIDTHS:
            known, start = best()
            if self.left() <= 0.0 or (known < inf and known - self.bound <= gap * known):
                return
            width = min(share * abs(self._least) if share < inf else inf, known - self._least)
            kept = self._kept(width, start)
            outcome, found = self._solve(kept, gap / 2, start)
            above = outcome.bound if outcome.feasible else inf
            everything = kept == self.program.question.choices
            self.bound = max(self.bound, above if everything else min(above, self._least + width))
            if not outcome.feasible and everything:
                self.impossible = True
            yield from found
            if everything or width >= known - self._least:
                return

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
        return program.solve(self.left(), gap, start)
