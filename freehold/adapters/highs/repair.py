"""A placement that keeps quotas, quickly: whoever loses least by it leaves a pool that is too
full; then whoever can comes back."""

from collections.abc import Callable, Sequence
from math import inf

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.descent import Descent
from freehold.adapters.highs.question import Figures, Question
from freehold.domain.placement_cost import (
    busiest_of,
    exceeds,
    faults_of,
    options_of,
    spans_of,
)


def relieved(
    question: Question, picked: Sequence[Choice], ends: Callable[[], bool]
) -> list[Choice] | None:
    """None if somebody has nowhere to go, or time is out. Deadline and budget are not looked at."""
    relief = _Relief(question, picked)
    while not ends():
        full = relief.full()
        if not full:
            return relief.picked
        for pool, most, tasks in full:
            if not relief.empty(pool, most, tasks):
                return None
    return None


def polished(
    question: Question, picked: Sequence[Choice], ends: Callable[[], bool]
) -> list[Choice]:
    """Task by task to something cheaper, as long as every limit is kept."""
    descent = Descent(question)
    descent.stand([choice.site for choice in picked])
    best = list(picked)
    changed = True
    while changed:
        changed = False
        for task, choices in enumerate(question.choices):
            crossings = descent.crossings(task)

            def total(choice: Choice, crossings: Figures = crossings) -> float:
                return choice.cost + float(crossings[choice.site])

            least = total(best[task]) * (1.0 - 1e-9)
            for choice in sorted((c for c in choices if total(c) < least), key=total):
                if ends():
                    return best
                tried = [*best[:task], choice, *best[task + 1 :]]
                if not faults_of(question.problem, question.chosen(tried)):
                    best = tried
                    descent.put(task, choice.site)
                    changed = True
                    break
    return best


class _Relief:
    def __init__(self, question: Question, picked: Sequence[Choice]) -> None:
        self.question, self.picked = question, list(picked)
        self.left: list[set[str]] = [set() for _ in picked]
        """By task, the pools to which it does not come back."""
        self.descent = Descent(question)
        self.descent.stand([choice.site for choice in picked])

    def full(self) -> list[tuple[str, float, list[int]]]:
        """Pools that are too full, what is in use at the worst moment, and by whom."""
        problem = self.question.problem
        options = options_of(problem, self.question.chosen(self.picked))
        number = {name: task for task, name in enumerate(self.question.names)}
        busiest = busiest_of(options, spans_of(problem, options))
        return [
            (pool, most, sorted(number[name] for name in names))
            for pool, (most, names) in sorted(busiest.items())
            if pool in self.question.limits.pools and exceeds(most, problem.quotas[pool])
        ]

    def empty(self, pool: str, most: float, tasks: Sequence[int]) -> bool:
        """Until the rest fits; whether there was somewhere to go."""
        while exceeds(most, self.question.problem.quotas[pool]):
            ways = [way for task in tasks for way in self._ways(task, pool)]
            if not ways:
                return False
            _, task, _, choice = min(ways, key=lambda way: way[:3])
            most -= dict(self.picked[task].uses)[pool]
            self.left[task].add(pool)
            self.picked[task] = choice
            self.descent.put(task, choice.site)
        return True

    def _ways(self, task: int, pool: str) -> list[tuple[float, int, int, Choice]]:
        """What it costs more, and where to; none if it uses nothing of the pool."""
        now = self.picked[task]
        if not dict(now.uses).get(pool):
            return []
        crossings = self.descent.crossings(task)
        shut = self.left[task] | {pool}
        costs = [
            (choice.cost + float(crossings[choice.site]), at, choice)
            for at, choice in enumerate(self.question.choices[task])
            if not any(units > 0.0 and used in shut for used, units in choice.uses)
        ]
        here = now.cost + float(crossings[now.site])
        return [(cost - here, task, at, choice) for cost, at, choice in costs if cost < inf]
