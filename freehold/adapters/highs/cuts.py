"""Laws of choices that a schedule has broken: what the program is told so that it finds another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from freehold.adapters.highs.choices import LASTS, Choice
from freehold.adapters.highs.question import Question
from freehold.domain.placement_cost import (
    SLACK,
    busiest_of,
    exceeds,
    meetings_of,
    options_of,
    spans_of,
)

EFFORT = 50_000
"""Tasks that are looked at, one after the other, to make one cut wide."""


@dataclass(frozen=True)
class Cut:
    """The sum of the coefficients of what is chosen is at most `most`."""

    terms: tuple[tuple[int, int, float], ...]
    """Task, index of the option, coefficient."""
    most: float


def twin_cuts(question: Question, pools: frozenset[str]) -> Iterator[Cut]:
    """Tasks that wait for the same things start together where they run at one site."""
    reads: list[list[int]] = [[] for _ in question.names]
    for number, stream in enumerate(question.streams):
        for reader in stream.readers:
            reads[reader].append(number)
    twins: dict[object, list[int]] = {}
    for task in range(len(question.names)):
        streams = [number for number in reads[task] if question.streams[number].maker >= 0]
        key = (question.waits[task], tuple(streams), question.release[task].tobytes())
        twins.setdefault(key, []).append(task)
    for together in twins.values():
        for pool in sorted(pools):
            for site in range(len(question.sites)):
                terms = tuple(
                    (task, choice.index, units)
                    for task in together
                    for choice in question.choices[task]
                    if choice.site == site and choice.seconds > LASTS
                    for name, units in choice.uses
                    if name == pool
                )
                if len({task for task, _, _ in terms}) > 1:
                    yield Cut(terms, question.problem.quotas[pool])


def broken(question: Question, picked: Sequence[Choice], pools: frozenset[str]) -> list[Cut]:
    """At least one cut that `picked` does not meet, if it breaks deadline, budget or a quota that
    the program was told of already."""
    problem = question.problem
    options = options_of(problem, question.chosen(picked))
    spans = spans_of(problem, options)
    number = {name: task for task, name in enumerate(question.names)}
    cuts = []
    for pool, (most, names) in sorted(busiest_of(options, spans).items()):
        if pool in pools and exceeds(most, problem.quotas[pool]):
            users = sorted(number[name] for name in names)
            cuts.append(_Meeting(question, picked, pool, users).cut())
    if problem.deadline is not None:
        last = max(options, key=lambda name: (spans[name].end, name))
        if exceeds(spans[last].end, problem.deadline):
            tasks = {number[last], *ancestors(question, [number[last]])}
            cuts.append(_not_all(tasks, picked))
    return cuts or [_not_all(set(range(len(picked))), picked)]


def assumed_cuts(question: Question, picked: Sequence[Choice], pools: frozenset[str]) -> list[Cut]:
    """That tasks which meet beyond a quota keep to it together: as if they always met."""
    problem = question.problem
    options = options_of(problem, question.chosen(picked))
    spans = spans_of(problem, options)
    number = {name: task for task, name in enumerate(question.names)}
    return [
        Cut(
            tuple(
                (number[name], choice.index, units)
                for name in sorted(names)
                for choice in question.choices[number[name]]
                for used, units in choice.uses
                if used == pool
            ),
            problem.quotas[pool],
        )
        for pool, met in sorted(meetings_of(options, spans).items())
        if pool in pools
        for most, names in met
        if exceeds(most, problem.quotas[pool])
    ]


def ancestors(question: Question, tasks: Sequence[int]) -> set[int]:
    found: set[int] = set()
    ahead = list(tasks)
    while ahead:
        for before in question.waits[ahead.pop()]:
            if before not in found:
                found.add(before)
                ahead.append(before)
    return found


def _not_all(tasks: set[int], picked: Sequence[Choice]) -> Cut:
    terms = tuple((task, picked[task].index, 1.0) for task in sorted(tasks))
    return Cut(terms, len(terms) - 1.0)


class _Meeting:
    """Tasks that use a pool at the same moment, and why: choices of what stands before them."""

    def __init__(
        self, question: Question, picked: Sequence[Choice], pool: str, users: Sequence[int]
    ) -> None:
        self.question, self.pool, self.users = question, pool, users
        before = ancestors(question, users)
        self.before = [task for task in question.order if task in before]
        concerned = before | set(users)
        self.order = [task for task in question.order if task in concerned]
        self.allowed: dict[int, tuple[Choice, ...]] = {t: (picked[t],) for t in concerned}
        self.delays: dict[int, list[tuple[int, np.ndarray]]] = {task: [] for task in concerned}
        for stream in question.streams:
            for reader in stream.readers:
                if stream.maker >= 0 and reader in concerned and stream.gigabytes > 0.0:
                    seconds = stream.prices.seconds * stream.gigabytes
                    self.delays[reader].append((stream.maker, seconds))
        self.effort = EFFORT
        self.slack = 2 * SLACK * max(1.0, _longest(question))

    def cut(self) -> Cut:
        """Under the same conditions, or wider ones under which the users surely meet still, they
        keep to the quota."""
        for task in self.users:
            self._widen(task, [c for c in self.question.choices[task] if self._units(c) > 0.0])
        conditions = []
        for task in reversed(self.before):
            everything = self.question.choices[task]
            if not self._holds({**self.allowed, task: everything}):
                self._widen(task, everything)
                conditions.append(task)
            else:
                self.allowed[task] = everything
        most = self.question.problem.quotas[self.pool]
        over = sum(max(self._units(c) for c in self.allowed[task]) for task in self.users) - most
        terms = [(t, c.index, self._units(c)) for t in self.users for c in self.allowed[t]]
        terms += [(task, c.index, over) for task in conditions for c in self.allowed[task]]
        return Cut(tuple(terms), most + over * len(conditions))

    def _units(self, choice: Choice) -> float:
        return dict(choice.uses).get(self.pool, 0.0)

    def _widen(self, task: int, choices: Sequence[Choice]) -> None:
        for choice in choices:
            if choice.index not in {kept.index for kept in self.allowed[task]}:
                wider = {**self.allowed, task: (*self.allowed[task], choice)}
                if self._holds(wider):
                    self.allowed = wider

    def _holds(self, allowed: Mapping[int, tuple[Choice, ...]]) -> bool:
        """Whether the users meet, whichever of these choices are taken. False, too, after so many
        questions that the cut does not get worth more."""
        self.effort -= len(self.order)
        if self.effort < 0:
            return False
        first: dict[int, tuple[float, float]] = {}
        last: dict[int, tuple[float, float]] = {}
        for task in self.order:
            sites = sorted({choice.site for choice in allowed[task]})
            release = self.question.release[task, sites]
            low, high = float(release.min()), float(release.max())
            for before in self.question.waits[task]:
                low, high = max(low, last[before][0]), max(high, last[before][1])
            for maker, seconds in self.delays[task]:
                from_sites = sorted({choice.site for choice in allowed[maker]})
                delays = seconds[np.ix_(from_sites, sites)]
                open_ = delays[np.isfinite(delays)]
                if len(open_):
                    low = max(low, last[maker][0] + float(open_.min()))
                    high = max(high, last[maker][1] + float(open_.max()))
            seconds_of = [choice.seconds for choice in allowed[task]]
            first[task] = (low, high)
            last[task] = (low + min(seconds_of), high + max(seconds_of))
        latest = max((first[task][1] for task in self.users), default=-inf)
        return latest + self.slack < min((last[task][0] for task in self.users), default=inf)


def _longest(question: Question) -> float:
    """Seconds that no schedule passes."""
    open_ = [
        stream.prices.seconds[np.isfinite(stream.prices.seconds)] for stream in question.streams
    ]
    delays = sum(
        stream.gigabytes * float(seconds.max(initial=0.0))
        for stream, seconds in zip(question.streams, open_, strict=True)
    )
    lasts = sum(max(c.seconds for c in choices) for choices in question.choices)
    release = question.release[np.isfinite(question.release)]
    return lasts + delays + float(release.max(initial=0.0))
