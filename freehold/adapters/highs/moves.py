"""What every single change of a placement would come to, all at once: cost, what limits it passes.

Times are reckoned for thousands of changes side by side, which costs little more than for one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.descent import Descent
from freehold.adapters.highs.question import Figures, Question, scaled
from freehold.domain.placement_cost import SLACK

Numbers = NDArray[np.intp]

SHORT = 1.0
"""Of the mean length: what a meeting counts however short it is, and twice if it lasts so long."""


@dataclass(frozen=True)
class Changes:
    """One task each, ascending by task."""

    tasks: Numbers
    to: Numbers
    """Which of the task's choices."""
    dearer: Figures
    """By how much the objective rises."""
    money: Figures


class Moves:
    """From where it stands."""

    def __init__(self, question: Question, picked: Sequence[Choice]) -> None:
        self.question = question
        self.pools = sorted(question.problem.quotas)
        self._quotas = [question.problem.quotas[pool] for pool in self.pools]
        self.sites = [np.array([c.site for c in of_task]) for of_task in question.choices]
        self.seconds = [np.array([c.seconds for c in of_task]) for of_task in question.choices]
        self.units = [
            np.array([[dict(c.uses).get(pool, 0.0) for pool in self.pools] for c in of_task])
            for of_task in question.choices
        ]
        self.arrivals: list[list[tuple[int, Figures]]] = [[] for _ in question.names]
        self.near: list[set[int]] = [set() for _ in question.names]
        """By task, those whose crossings depend on where it is."""
        for stream in question.streams:
            together = {*stream.readers, *([stream.maker] if stream.maker >= 0 else [])}
            for task in together:
                self.near[task] |= together
            if stream.maker >= 0:
                delays = scaled(stream.prices.seconds, stream.gigabytes)
                for reader in stream.readers:
                    self.arrivals[reader].append((stream.maker, delays))
        self.before = np.eye(len(question.names), dtype=bool)
        """[task, other]: whether the other decides when the task ends."""
        for task in question.order:
            for before in question.waits[task]:
                self.before[task] |= self.before[before]
        self.at = [of_task.index(c) for of_task, c in zip(question.choices, picked, strict=True)]
        self._descents = [Descent(question), Descent(question, "money")]
        for descent in self._descents:
            descent.stand([choice.site for choice in picked])
        self._dearer: dict[int, tuple[Figures, Figures]] = {}

    @property
    def picked(self) -> list[Choice]:
        return [of_task[at] for of_task, at in zip(self.question.choices, self.at, strict=True)]

    def go(self, task: int, to: int) -> None:
        self.at[task] = to
        for descent in self._descents:
            descent.put(task, int(self.sites[task][to]))
        for other in (task, *self.near[task]):
            self._dearer.pop(other, None)

    def changes(self) -> Changes:
        """All that cross nothing that is barred; what changes nothing is among them."""
        figures = [self._dearer_of(task) for task in range(len(self.at))]
        counts = [len(of_task) for of_task in self.question.choices]
        return Changes(
            np.repeat(np.arange(len(counts)), counts),
            np.concatenate([np.arange(count) for count in counts]),
            np.concatenate([cost for cost, _ in figures]),
            np.concatenate([money for _, money in figures]),
        )

    def concerned(self, pools: Iterable[int], deadline: float | None) -> NDArray[np.bool_]:
        """By task, whether it decides what is in use of these pools, or what is late."""
        columns = list(pools)
        found = np.array(
            [bool((self.units[t][at, columns] > 0.0).any()) for t, at in enumerate(self.at)]
        )
        if deadline is not None:
            found |= self._standing()[1] > _allowed(deadline)
        return np.asarray(self.before[found].any(axis=0))

    def leaving(self, pools: Numbers) -> Iterator[NDArray[np.bool_]]:
        """By pool, of the changes as in `changes`, those by which a task uses less of it that is
        among those that use it while the quota is passed."""
        starts, ends = self._standing()
        for pool in pools:
            used = np.array([u[at, pool] for u, at in zip(self.units, self.at, strict=True)])
            users = np.flatnonzero((used > 0.0) & (ends > starts))
            together = (starts[users][:, None] <= starts[users]) & (
                starts[users] < ends[users][:, None]
            )
            passed = starts[users][used[users] @ together > _allowed(self._quotas[pool])]
            met = ((starts[:, None] <= passed) & (passed < ends[:, None])).any(axis=1)
            # Nothing is less than none.
            most = np.where(met, used, 0.0)
            less = [u[:, pool] < of_task for u, of_task in zip(self.units, most, strict=True)]
            yield np.concatenate(less)

    def _dearer_of(self, task: int) -> tuple[Figures, Figures]:
        if task not in self._dearer:
            found = []
            for descent, of in zip(self._descents, ("cost", "money"), strict=True):
                crossings = descent.crossings(task)[self.sites[task]]
                total = crossings + [getattr(c, of) for c in self.question.choices[task]]
                found.append(total - total[self.at[task]])
            self._dearer[task] = (found[0], found[1])
        return self._dearer[task]

    def passed(self, tasks: Numbers, to: Numbers) -> tuple[Figures, Figures]:
        """By pool and change, how much is in use beyond the quota, and how long; by change, seconds
        beyond the deadline, summed over the tasks."""
        bounds = np.searchsorted(tasks, np.arange(len(self.at) + 1))
        moved = [slice(bounds[task], bounds[task + 1]) for task in range(len(self.at))]
        starts, ends = self._times(moved, to)
        slack = SLACK * np.maximum(1.0, ends.max(axis=0))
        columns = np.arange(len(tasks))
        units_to = np.array([self.units[t][c] for t, c in zip(tasks, to, strict=True)])
        own = starts[tasks, columns], ends[tasks, columns]
        beyond = np.zeros((len(self.pools), len(tasks)))
        for number, quota in enumerate(self._quotas):
            users = [t for t, at in enumerate(self.at) if self.units[t][at, number] > 0.0]
            units = np.empty((len(users) + 1, len(tasks)))
            for row, task in enumerate(users):
                units[row] = self.units[task][self.at[task], number]
                units[row, moved[task]] = 0.0
            units[-1] = units_to[:, number]
            begin, end = np.vstack([starts[users], own[0]]), np.vstack([ends[users], own[1]])
            units[end - begin <= slack] = 0.0
            most = _allowed(quota)
            some = np.flatnonzero(units.sum(axis=0) > most)
            if len(some):
                figures = (units[:, some], begin[:, some], end[:, some], slack[some])
                beyond[number, some] = _beyond(*figures, most)
        deadline = self.question.problem.deadline
        if deadline is None:
            return beyond, np.zeros(len(tasks))
        return beyond, np.maximum(ends - _allowed(deadline), 0.0).sum(axis=0)

    def _standing(self) -> tuple[Figures, Figures]:
        """Starts and ends (tasks) without any change."""
        nobody = [slice(0, 0)] * len(self.at)
        starts, ends = self._times(nobody, np.zeros(1, dtype=int))
        return starts[:, 0], ends[:, 0]

    def _times(self, moved: Sequence[slice], to: Numbers) -> tuple[Figures, Figures]:
        """Starts and ends (tasks, changes)."""
        shape = (len(self.at), len(to))
        starts, ends = np.empty(shape), np.empty(shape)
        for task in self.question.order:
            here, at = moved[task], self.at[task]
            site, sites = self.sites[task][at], self.sites[task][to[here]]
            start = starts[task]
            start[:] = self.question.release[task, site]
            start[here] = self.question.release[task, sites]
            for before in self.question.waits[task]:
                np.maximum(start, ends[before], out=start)
            for maker, delays in self.arrivals[task]:
                there, source = moved[maker], self.sites[maker][self.at[maker]]
                arrival = ends[maker] + delays[source, site]
                sources = self.sites[maker][to[there]]
                arrival[there] = ends[maker][there] + delays[sources, site]
                arrival[here] = ends[maker][here] + delays[source, sites]
                np.maximum(start, arrival, out=start)
            ends[task] = start + self.seconds[task][at]
            ends[task][here] = start[here] + self.seconds[task][to[here]]
        return starts, ends


def _allowed(most: float) -> float:
    return most + SLACK * max(1.0, abs(most))


def _beyond(units: Figures, begin: Figures, end: Figures, slack: Figures, most: float) -> Figures:
    """`units`, `begin`, `end` (users, changes). The time between two events at which more is in use
    counts by the units beyond, and beside the mean length of what is met by how long it lasts, so
    that to shorten it is worth something."""
    moments = np.concatenate([begin, end]).T
    events = np.argsort(moments, axis=1)
    used = np.cumsum(np.take_along_axis(np.concatenate([units, -units]).T, events, 1), axis=1)
    lasts = np.diff(np.take_along_axis(moments, events, 1), axis=1)
    length = max(float((end - begin).mean()), 1e-9)
    over = np.where(lasts > 2 * slack[:, None], np.maximum(used[:, :-1] - most, 0.0), 0.0)
    return np.asarray((over * (SHORT + lasts / length)).sum(axis=1))
