"""A placement that keeps every limit, quickly: the change that is worth most, again and again, with
a price on what passes a limit; it rises while something does, and falls when nothing does.

Strategic oscillation with a short memory of what was left (Glover 1989, doi:10.1287/ijoc.1.3.190).
"""

from collections.abc import Callable, Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.moves import Changes, Moves, Numbers
from freehold.adapters.highs.question import Figures, Question
from freehold.domain.placement_cost import SLACK, cost_of

PATIENCE = 100
"""Changes without anything better after which it ends."""
LONGEST = 200
"""Changes without anything that keeps the limits after which it ends, or as many as tasks."""
MEMORY = 12
"""Changes for which nobody goes back to what he left."""
MOST, TIMES = 6_000, 2_000_000
"""Changes that are looked at side by side, and times of tasks that are reckoned for them."""
STILL, LESS = 4, 0.99
"""Changes after which the price of a limit rises that is passed by no less than `LESS` of the least
so far: small savings that undo each other would go on for ever."""
STEPS, DEARER, CHEAPER = 40, 1.5, 0.7
"""How often, and how much, prices change until there is a change that is worth it."""


def walk(
    question: Question,
    begin: Sequence[Choice],
    known: float,
    consider: Callable[[Sequence[Choice]], bool],
    ends: Callable[[], bool],
    number: int = 0,
) -> None:
    """`question`: with every limit of the problem. `known`: how much dearer than the beginning the
    best is that is known. `consider`: told of each better one that keeps every limit; whether it is
    good enough. `number`: of the walk; each but the first has prices of its own at first, so that
    it goes another way."""
    moves, prices = Moves(question, begin), _Prices(question, begin, number)
    left: dict[tuple[int, int], int] = {}
    """Task and choice → step from which on it may come back."""
    cost, best, quiet, step = 0.0, known, 0, 0
    longest = max(LONGEST, len(begin))
    while quiet < (PATIENCE if best < inf else longest) and not ends():
        stays = np.array([0]), np.array(moves.at[:1])
        now = prices.passed(*moves.passed(*stays), np.zeros(1))
        prices.rise(now[:, 0])
        if cost < best and not now.any():
            best, quiet = cost, 0
            if consider(moves.picked):
                return
        shut = {way for way, until in left.items() if until > step}
        changes = _worth_a_look(moves, best - cost, prices.concerned(moves, now), now, shut)
        if not len(changes.tasks):
            return
        passed = prices.passed(*moves.passed(changes.tasks, changes.to), changes.money)
        go = prices.choose(changes.dearer, passed - now, now[:, 0] > 0.0)
        task = int(changes.tasks[go])
        left[task, moves.at[task]] = step + MEMORY
        cost += float(changes.dearer[go])
        prices.spent += float(changes.money[go])
        moves.go(task, int(changes.to[go]))
        quiet, step = quiet + 1, step + 1


def _worth_a_look(
    moves: Moves,
    dearer: float,
    concerned: NDArray[np.bool_],
    now: Figures,
    shut: set[tuple[int, int]],
) -> Changes:
    """Those that save something or may mend something, and after which it is still better than the
    best. If they are too many, the cheapest: half of them by which a task leaves a pool while it is
    passed, as many for each such pool, the others of all."""
    found = moves.changes()
    worth = (found.dearer < min(dearer, 0.0)) | (concerned[found.tasks] & (found.dearer < dearer))
    worth &= found.to != np.array(moves.at)[found.tasks]
    if shut:
        width = int(found.to.max()) + 1
        ways = np.array([task * width + to for task, to in shut])
        worth &= ~np.isin(found.tasks * width + found.to, ways)
    worth &= np.isfinite(found.dearer)
    most = min(MOST, TIMES // len(moves.at))
    if worth.sum() > most:
        picked = np.zeros(len(worth), dtype=bool)
        pools = np.flatnonzero(now[: len(moves.pools), 0] > 0.0)
        for leaves in moves.leaving(pools):
            of_pool = np.flatnonzero(worth & leaves & ~picked)
            picked[_cheapest(of_pool, found.dearer, most // 2 // len(pools))] = True
        rest = np.flatnonzero(worth & ~picked)
        picked[_cheapest(rest, found.dearer, most - int(picked.sum()))] = True
        worth = picked
    some = np.flatnonzero(worth)
    return Changes(found.tasks[some], found.to[some], found.dearer[some], found.money[some])


def _cheapest(some: Numbers, dearer: Figures, most: int) -> Numbers:
    return some[np.argsort(dearer[some], kind="stable")[:most]]


class _Prices:
    """Of a unit of what passes each limit: the pools, the deadline as a share of it, the budget."""

    def __init__(self, question: Question, begin: Sequence[Choice], number: int) -> None:
        self.problem = question.problem
        self.spent = cost_of(self.problem, question.chosen(begin)).money
        middle = sum(choice.cost for choice in begin) / len(begin)
        self.each = np.full(len(self.problem.quotas) + 2, max(middle, 1e-9))
        self._least = np.full(len(self.each), np.inf)
        self._still = np.zeros(len(self.each), dtype=int)
        """By limit, the least by which it was passed since it was kept, and changes since then."""
        if number:
            self.each *= np.exp(np.random.default_rng(number).normal(size=len(self.each)))

    def rise(self, now: Figures) -> None:
        """Of what is passed and does not come nearer to its limit."""
        broken = now > 0.0
        nearer = now < LESS * self._least
        self._least = np.where(broken, np.where(nearer, now, self._least), np.inf)
        self._still = np.where(broken & ~nearer, self._still + 1, 0)
        self.each[broken & ~nearer & (self._still % STILL == 0)] *= DEARER

    def passed(self, beyond: Figures, late: Figures, money: Figures) -> Figures:
        """(limits, changes)"""
        over = np.zeros(len(late))
        budget = self.problem.budget
        if budget is not None:
            over = np.maximum(self.spent + money - budget - SLACK * max(1.0, budget), 0.0)
        return np.vstack([beyond, late / max(self.problem.deadline or 0.0, 1.0), over])

    def concerned(self, moves: Moves, now: Figures) -> NDArray[np.bool_]:
        """By task, whether a change of it can mend something that is passed."""
        *pools, late, over = now[:, 0] > 0.0
        if over:
            return np.ones(len(moves.at), dtype=bool)
        return moves.concerned(np.flatnonzero(pools), self.problem.deadline if late else None)

    def choose(self, dearer: Figures, passed: Figures, broken: NDArray[np.bool_]) -> int:
        """Prices go up or down until there is a change that is worth it. `passed`: more than
        now."""
        each = self.each.copy()
        for _ in range(STEPS):
            score = dearer + each @ passed
            go = int(np.argmin(score))
            if score[go] < 0.0:
                self.each = each
                return go
            each[broken] *= DEARER
            if not broken.any():
                each *= CHEAPER
        return go
