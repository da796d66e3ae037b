"""Options that the best placement can do without are left out before anything is solved."""

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.highs.question import Figures, Question, Stream

Numbers = NDArray[np.intp]
INSTEAD = 4
"""Sites of a task that are tried in place of each other one."""


def reduced(question: Question) -> Question:
    """With the same best objective. A task is left without choices if crossings are barred so that
    there is no placement."""
    kept = _reachable(question)
    if question.limits.any or any(not choices for choices in kept.choices):
        return kept
    return _replaceable(kept)


def _reachable(question: Question) -> Question:
    """Without sites from or to which every crossing is barred."""
    sites = [set(question.sites_of(task)) for task in range(len(question.names))]
    made = [stream for stream in question.streams if stream.maker >= 0]
    changed = True
    while changed:
        changed = False
        for stream in made:
            passes = np.isfinite(stream.prices.cost)
            for reader in stream.readers:
                sources, destinations = sites[stream.maker], sites[reader]
                out = {a for a in sources if not any(passes[a, s] for s in destinations)}
                into = {s for s in destinations if not any(passes[a, s] for a in sources)}
                if out or into:
                    sources -= out
                    destinations -= into
                    changed = True
    return question.with_choices(
        [
            [choice for choice in choices if choice.site in sites[task]]
            for task, choices in enumerate(question.choices)
        ]
    )


def _replaceable(question: Question) -> Question:
    """Without sites for which another is no dearer wherever all other tasks may run (the
    elimination of dead ends: Goldstein 1994, doi:10.1016/S0006-3495(94)80923-3)."""
    elimination = _Elimination(question)
    tasks = range(len(question.names))
    while sum(elimination.thin(task) for task in tasks):
        pass
    return question.with_choices(
        [
            [choice for choice in choices if elimination.alive[task, choice.site]]
            for task, choices in enumerate(question.choices)
        ]
    )


class _Elimination:
    def __init__(self, question: Question) -> None:
        count, sites = len(question.names), len(question.sites)
        self.alone: Figures = np.full((count, sites), np.inf)
        for task, choices in enumerate(question.choices):
            for choice in choices:
                self.alone[task, choice.site] = choice.cost
        self.alive = np.isfinite(self.alone)
        self.made: list[list[Stream]] = [[] for _ in question.names]
        self.read: list[list[Stream]] = [[] for _ in question.names]
        for stream in question.streams:
            if stream.maker >= 0:
                self.made[stream.maker].append(stream)
            for reader in stream.readers:
                self.read[reader].append(stream)
        self.seen: dict[int, tuple[int, ...]] = {}

    def thin(self, task: int) -> bool:
        """Whether anything was left out."""
        here = np.flatnonzero(self.alive[task])
        neighbours = {s.maker for s in self.read[task]} | {
            reader for s in self.made[task] for reader in s.readers
        }
        state = (len(here), *(int(self.alive[n].sum()) for n in sorted(neighbours) if n >= 0))
        if len(here) < 2 or self.seen.get(task) == state:
            return False
        self.seen[task] = state
        # Where nothing crosses, the best of these would be; more are seldom of use.
        instead = here[np.argsort(self.alone[task, here], kind="stable")[:INSTEAD]]
        rise = self._rise(task, here, instead)
        gone = False
        for at, site in enumerate(here):
            others = self.alive[task, instead] & (instead != site)
            if np.any(rise[at, others] <= 0.0):
                self.alive[task, site] = False
                gone = True
        return gone

    def _rise(self, task: int, here: Numbers, instead: Numbers) -> Figures:
        """[s, s']: the most that everything gets dearer if the task moves from s to s'."""
        rise = self.alone[task, instead][None, :] - self.alone[task, here][:, None]
        for stream in self.made[task]:
            rise += self._made(stream, here, instead)
        for stream in self.read[task]:
            rise += self._read(stream, here, instead)
        return np.asarray(rise)

    def _made(self, stream: Stream, here: Numbers, instead: Numbers) -> Figures:
        each = []
        for reader in stream.readers:
            prices = stream.prices.cost[:, self.alive[reader]]
            each.append(_most(prices[here], prices[instead], stream.gigabytes))
        if len(each) == 1:
            return each[0]
        # At least one copy is made; readers at one site share theirs.
        dearest = np.maximum.reduce(each)
        total = np.add.reduce([np.maximum(one, 0.0) for one in each])
        return np.asarray(np.where(dearest < 0.0, dearest, total))

    def _read(self, stream: Stream, here: Numbers, instead: Numbers) -> Figures:
        cost = stream.prices.cost
        prices = cost[:, None] if stream.maker < 0 else cost[self.alive[stream.maker]].T
        saved = prices[here]
        if len(stream.readers) > 1:
            # Where others read it too, leaving a site need save nothing.
            saved = np.where(np.isinf(saved), np.inf, 0.0)
        return _most(saved, prices[instead], stream.gigabytes)


def _most(before: Figures, after: Figures, times: float) -> Figures:
    """[s, s']: the greatest of after[s', k] - before[s, k], `times` times; a k that is barred for s
    is never met, and one that is barred for s' alone is never outweighed."""
    met = np.isfinite(before)
    known = np.where(met, before, 0.0)
    difference = np.where(met[:, None, :], after[None, :, :] - known[:, None, :], -np.inf)
    most = difference.max(axis=2)
    return np.asarray(most * times if times else np.where(np.isinf(most), most, 0.0))
