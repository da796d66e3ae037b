"""A problem in numbers, in an order that does not depend on that of its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from freehold.adapters.highs.choices import Choice, Limits, choices_of
from freehold.domain.placement import Crossing, Flow, Objective, Problem
from freehold.domain.placement_cost import cheapest_source, waits_of

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Prices:
    """Of crossings, per gigabyte; infinite where barred, 0 within a site. Of a stream with a maker
    (sites, sites), source × destination; of one that lies at fixed places (sites,)."""

    cost: Figures
    """As the objective counts it."""
    money: Figures
    seconds: Figures


@dataclass(frozen=True)
class Stream:
    """A flow whose crossings depend on more than one task."""

    name: str
    gigabytes: float
    maker: int
    """Or -1: it lies at fixed places, and several tasks read it."""
    readers: tuple[int, ...]
    prices: Prices
    """The same object for all streams that have a maker and may take the same ways."""


@dataclass(frozen=True)
class Question:
    problem: Problem
    names: tuple[str, ...]
    """Of the tasks; elsewhere a task is its number here."""
    sites: tuple[str, ...]
    choices: tuple[tuple[Choice, ...], ...]
    """By task; none where every option was barred."""
    streams: tuple[Stream, ...]
    waits: tuple[tuple[int, ...], ...]
    """By task, those that must have ended."""
    release: Figures
    """(tasks, sites): seconds until what lies at fixed places has arrived."""
    order: tuple[int, ...]
    """Every task after what it waits for."""
    limits: Limits
    """Which of the problem's are counted."""

    def with_choices(self, choices: Sequence[Sequence[Choice]]) -> "Question":
        return replace(self, choices=tuple(tuple(of_task) for of_task in choices))

    def sites_of(self, task: int) -> tuple[int, ...]:
        return tuple(sorted({choice.site for choice in self.choices[task]}))

    def chosen(self, picked: Sequence[Choice]) -> dict[str, int]:
        return {name: choice.index for name, choice in zip(self.names, picked, strict=True)}


def question_of(problem: Problem, limits: Limits, of_money: bool = False) -> Question:
    """`of_money`: money alone is its objective; still, what lies at several sites crosses from the
    one that is the cheapest by the problem's own."""
    tasks = sorted(problem.tasks, key=lambda task: task.name)
    number = {task.name: at for at, task in enumerate(tasks)}
    lying = {site for flow in problem.flows for site in flow.at}
    sites = tuple(sorted({o.site for task in tasks for o in task.options} | lying))
    flows = sorted((flow for flow in problem.flows if flow.readers), key=lambda flow: flow.name)
    between: dict[int, Prices] = {}
    alone = [Prices(*np.zeros((3, len(sites)))) for _ in tasks]
    streams = []
    for flow in flows:
        readers = tuple(sorted(number[reader] for reader in flow.readers))
        if flow.maker:
            maker = number[flow.maker]
            listed = problem.crossings_of(flow)
            if id(listed) not in between:
                between[id(listed)] = _between(problem, listed, sites, of_money)
            prices = between[id(listed)]
            streams.append(Stream(flow.name, flow.gigabytes, maker, readers, prices))
            continue
        prices = _from(problem, flow, sites, of_money)
        for reader in readers:
            _fold(alone[reader], prices, flow.gigabytes, whole=len(readers) == 1)
        if len(readers) > 1:
            streams.append(Stream(flow.name, flow.gigabytes, -1, readers, prices))
    objective = Objective() if of_money else problem.objective
    at_site = {site: at for at, site in enumerate(sites)}
    choices = [
        choices_of(task.options, at_site, objective, problem.quotas, limits) for task in tasks
    ]
    waits = waits_of(problem)
    numbered = [tuple(sorted(number[name] for name in waits[task.name])) for task in tasks]
    return Question(
        problem=problem,
        names=tuple(task.name for task in tasks),
        sites=sites,
        choices=tuple(_folded(of_task, alone[at]) for at, of_task in enumerate(choices)),
        streams=tuple(streams),
        waits=tuple(numbered),
        release=np.array([prices.seconds for prices in alone]).reshape(len(tasks), len(sites)),
        order=_order(numbered),
        limits=limits,
    )


def _between(
    problem: Problem,
    listed: Mapping[tuple[str, str], Crossing],
    sites: Sequence[str],
    of_money: bool,
) -> Prices:
    """Per gigabyte."""
    figures = np.full((3, len(sites), len(sites)), np.inf)
    for at, source in enumerate(sites):
        for to, destination in enumerate(sites):
            crossing = listed.get((source, destination))
            if source == destination:
                figures[:, at, to] = 0.0
            elif crossing is not None:
                figures[:, at, to] = _priced(problem, crossing, of_money)
    return Prices(*figures)


def _from(problem: Problem, flow: Flow, sites: Sequence[str], of_money: bool) -> Prices:
    """Of a flow that lies at fixed places, by destination."""
    figures = np.full((3, len(sites)), np.inf)
    for to, destination in enumerate(sites):
        way = cheapest_source(problem, flow, flow.at, destination)
        if destination in flow.at:
            figures[:, to] = 0.0
        elif way is not None:
            figures[:, to] = _priced(problem, way[1], of_money)
    return Prices(*figures)


def _priced(problem: Problem, crossing: Crossing, of_money: bool) -> tuple[float, float, float]:
    objective = Objective() if of_money else problem.objective
    cost = objective.of(crossing.money, crossing.carbon)
    return cost, crossing.money, crossing.seconds


def scaled(figures: Figures, gigabytes: float) -> Figures:
    """What is barred stays so however little it is; infinity times zero would be no number."""
    open_ = np.isfinite(figures)
    return np.where(open_, np.where(open_, figures, 0.0) * gigabytes, np.inf)


def _fold(into: Prices, prices: Prices, gigabytes: float, whole: bool) -> None:
    """Time and bars hold for every reader; the price is one reader's only if it is the only one."""
    np.maximum(into.seconds, scaled(prices.seconds, gigabytes), out=into.seconds)
    if whole:
        np.add(into.cost, scaled(prices.cost, gigabytes), out=into.cost)
        np.add(into.money, scaled(prices.money, gigabytes), out=into.money)


def _folded(choices: Sequence[Choice], alone: Prices) -> tuple[Choice, ...]:
    """With what lies at fixed places, without what cannot be reached."""
    open_ = np.isfinite(alone.seconds).tolist()
    cost, money = alone.cost.tolist(), alone.money.tolist()
    return tuple(
        Choice(c.site, c.cost + cost[c.site], c.money + money[c.site], c.seconds, c.uses, c.index)
        if cost[c.site] or money[c.site]
        else c
        for c in choices
        if open_[c.site]
    )


def _order(waits: Sequence[Sequence[int]]) -> tuple[int, ...]:
    left = [len(before) for before in waits]
    followers: list[list[int]] = [[] for _ in waits]
    for task, before in enumerate(waits):
        for one in before:
            followers[one].append(task)
    ready = [task for task, count in enumerate(left) if count == 0]
    heapify(ready)
    done = []
    while ready:
        task = heappop(ready)
        done.append(task)
        for follower in followers[task]:
            left[follower] -= 1
            if left[follower] == 0:
                heappush(ready, follower)
    return tuple(done)
