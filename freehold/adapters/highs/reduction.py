"""Options that the best placement can do without are left out before anything is solved."""

import numpy as np

from freehold.adapters.highs.question import Figures, Question, Stream, scaled


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
        rise = self._rise(task, here)
        gone = False
        for at in range(len(here)):
            others = self.alive[task, here].copy()
            others[at] = False
            if np.any(rise[at, others] <= 0.0):
                self.alive[task, here[at]] = False
                gone = True
        return gone

    def _rise(self, task: int, here: np.ndarray) -> Figures:
        """[s, s']: the most that everything gets dearer if the task moves from s to s'."""
        alone = self.alone[task, here]
        rise = alone[None, :] - alone[:, None]
        for stream in self.made[task]:
            rise += self._made(stream, here)
        for stream in self.read[task]:
            rise += self._read(stream, here)
        return np.asarray(rise)

    def _made(self, stream: Stream, here: np.ndarray) -> Figures:
        each = []
        for reader in stream.readers:
            there = np.flatnonzero(self.alive[reader])
            prices = scaled(stream.prices.cost[np.ix_(here, there)], stream.gigabytes)
            each.append(_most(prices, prices))
        if len(each) == 1:
            return each[0]
        # At least one copy is made; readers at one site share theirs.
        dearest = np.maximum.reduce(each)
        total = np.add.reduce([np.maximum(one, 0.0) for one in each])
        return np.asarray(np.where(dearest < 0.0, dearest, total))

    def _read(self, stream: Stream, here: np.ndarray) -> Figures:
        shared = len(stream.readers) > 1
        if stream.maker < 0:
            prices = scaled(stream.prices.cost[here], stream.gigabytes)[:, None]
        else:
            there = np.flatnonzero(self.alive[stream.maker])
            prices = scaled(stream.prices.cost[np.ix_(there, here)], stream.gigabytes).T
        # Where others read it too, leaving a site need save nothing.
        saved = np.where(np.isinf(prices), np.inf, 0.0) if shared else prices
        return _most(saved, prices)


def _most(before: Figures, after: Figures) -> Figures:
    """[s, s']: the greatest of after[s', k] - before[s, k]; a k that is barred for s is never
    met."""
    met = np.isfinite(before)
    known = np.where(met, before, 0.0)
    difference = np.where(met[:, None, :], after[None, :, :] - known[:, None, :], -np.inf)
    return np.asarray(difference.max(axis=2))
