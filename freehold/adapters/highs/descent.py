"""A good placement without limits, quickly: from several beginnings, task by task downhill."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import isinf

import numpy as np

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.question import Figures, Question, Stream, scaled


class Descent:
    """Of a question with one choice at most for each task and site."""

    def __init__(self, question: Question, of: str = "cost") -> None:
        """`of`: cost, or money."""
        self.question = question
        count = len(question.sites)
        self.alone: Figures = np.full((len(question.names), count), np.inf)
        for task, choices in enumerate(question.choices):
            for choice in choices:
                self.alone[task, choice.site] = getattr(choice, of)
        self.made: list[list[int]] = [[] for _ in question.names]
        self.read: list[list[int]] = [[] for _ in question.names]
        for number, stream in enumerate(question.streams):
            if stream.maker >= 0:
                self.made[stream.maker].append(number)
            for reader in stream.readers:
                self.read[reader].append(number)
        self.prices = [scaled(getattr(s.prices, of), s.gigabytes) for s in question.streams]
        self.where: list[int] = []
        self.there: list[Counter[int]] = []
        """By stream: site → readers there."""

    def picked(self, sites: Sequence[int]) -> list[Choice]:
        return [
            next(choice for choice in choices if choice.site == site)
            for choices, site in zip(self.question.choices, sites, strict=True)
        ]

    def beginnings(self) -> list[list[int]]:
        """Each alone, each after what it reads, and everything at one site as far as possible."""
        alone = [int(np.argmin(row)) for row in self.alone]
        found = [alone, self._onward()]
        costs = np.where(np.isfinite(self.alone), self.alone, 0.0).sum(axis=0)
        missing = np.isinf(self.alone).sum(axis=0)
        for site in sorted(range(len(costs)), key=lambda s: (missing[s], costs[s]))[:3]:
            here = np.isfinite(self.alone[:, site])
            found.append([site if h else a for h, a in zip(here, alone, strict=True)])
        return found

    def _onward(self) -> list[int]:
        sites = [0] * len(self.question.names)
        for task in self.question.order:
            cost = self.alone[task].copy()
            for number in self.read[task]:
                maker = self.question.streams[number].maker
                cost += self.prices[number] if maker < 0 else self.prices[number][sites[maker]]
            best = cost if np.isfinite(cost).any() else self.alone[task]
            sites[task] = int(np.argmin(best))
        return sites

    def down(self, begin: Sequence[int], ends: Callable[[], bool]) -> tuple[float, list[int]]:
        """To where no task alone can be moved for the better."""
        self.stand(begin)
        changed = True
        while changed and not ends():
            changed = False
            for task in range(len(self.where)):
                changed |= self._move(task)
        return self._total(), list(self.where)

    def stand(self, sites: Sequence[int]) -> None:
        self.where = list(sites)
        self.there = [
            Counter(self.where[reader] for reader in stream.readers)
            for stream in self.question.streams
        ]

    def _move(self, task: int) -> bool:
        now = self.where[task]
        cost = self.alone[task] + self.crossings(task)
        best = int(np.argmin(cost))
        least, present = float(cost[best]), float(cost[now])
        # Where everything is barred there is nothing to choose from.
        if isinf(least) or least >= present - 1e-9 * least:
            return False
        self.put(task, best)
        return True

    def put(self, task: int, site: int) -> None:
        now = self.where[task]
        for number in self.read[task]:
            there = self.there[number]
            there[site] += 1
            there[now] -= 1
            if not there[now]:
                del there[now]
        self.where[task] = site

    def crossings(self, task: int) -> Figures:
        """By site, the cost of all that crosses or not depending on where this task runs."""
        cost = np.zeros(len(self.question.sites))
        now = self.where[task]
        for number in self.made[task]:
            there = list(self.there[number])
            prices = self.prices[number]
            cost += prices[:, there[0]] if len(there) == 1 else prices[:, there].sum(axis=1)
        for number in self.read[task]:
            stream: Stream = self.question.streams[number]
            prices = self.prices[number]
            row = prices if stream.maker < 0 else prices[self.where[stream.maker]]
            there_now = self.there[number]
            if len(stream.readers) > 1:
                shared = [s for s, c in there_now.items() if c > (1 if s == now else 0)]
                row = row.copy()
                row[shared] = np.where(np.isinf(row[shared]), np.inf, 0.0)
            cost += row
        return np.asarray(cost)

    def _total(self) -> float:
        cost = sum(float(self.alone[task, site]) for task, site in enumerate(self.where))
        for number, stream in enumerate(self.question.streams):
            prices = self.prices[number]
            row = prices if stream.maker < 0 else prices[self.where[stream.maker]]
            cost += float(row[list(self.there[number])].sum())
        return cost
