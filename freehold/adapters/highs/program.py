"""Placement as a mixed-integer program: which choice for each task.

The objective is exact: what the program counts for whole choices is what `cost_of` counts, but for
quotas, which are added as cuts when a schedule breaks them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite

import numpy as np

from freehold.adapters.highs.choices import Choice
from freehold.adapters.highs.cuts import Cut
from freehold.adapters.highs.layers import Layer, layers_of
from freehold.adapters.highs.question import Figures, Question, Stream
from freehold.adapters.highs.rows import Outcome, Relaxation, Rows, Terms, run

ROUNDS = 12
"""Of rows that are added where the relaxation breaks them."""


@dataclass
class Program:
    question: Question
    soonest: bool = False
    """Make the end of everything small instead of the objective."""
    rows: Rows = field(default_factory=Rows)
    taken: list[list[int]] = field(default_factory=list)
    """By task and choice, its column."""
    _shares: list[dict[int, int]] = field(default_factory=list)
    """By task: site → column of whether it runs there."""
    _layers: dict[tuple[int, str, tuple[int, ...], tuple[int, ...]], tuple[Layer, ...]] = field(
        default_factory=dict
    )
    _fans: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    """Stream with several readers → what its crossings come to."""
    _paid: dict[tuple[int, Layer], int] = field(default_factory=dict)
    _copies: dict[tuple[int, int], int] = field(default_factory=dict)
    """Stream, site → column of whether it is read there."""
    _relaxation: Relaxation | None = None
    _cuts: list[Cut] = field(default_factory=list)

    def __post_init__(self) -> None:
        for choices in self.question.choices:
            self._task(choices)
        for stream in self.question.streams:
            self._bars(stream)
        if self.question.limits.deadline or self.soonest:
            self._times()
        if self.soonest:
            return
        crossings = [self._crossing(number, "cost") for number in range(self._count)]
        for terms in crossings:
            self.rows.price(terms)
        for choices, columns in zip(self.question.choices, self.taken, strict=True):
            costs = [choice.cost for choice in choices]
            self.rows.price(tuple(zip(columns, costs, strict=True)))
        if self.question.limits.budget:
            self._budget(crossings)

    @cached_property
    def _columns(self) -> dict[tuple[int, int], int]:
        """Task, index of the option → column."""
        return {
            (task, choice.index): self.taken[task][at]
            for task, choices in enumerate(self.question.choices)
            for at, choice in enumerate(choices)
        }

    @property
    def _count(self) -> int:
        return len(self.question.streams)

    def cut(self, cut: Cut) -> None:
        self._cuts.append(cut)
        terms = [
            (self._columns[task, index], value)
            for task, index, value in cut.terms
            if (task, index) in self._columns
        ]
        self.rows.row(terms, upper=cut.most)

    def among(self, choices: Sequence[Sequence[Choice]]) -> "Program":
        """Of some of the choices, under the same cuts."""
        found = Program(self.question.with_choices(choices), self.soonest)
        for cut in self._cuts:
            found.cut(cut)
        return found

    def solve(
        self, seconds: float, gap: float, start: Sequence[Choice] | None = None
    ) -> tuple[Outcome, list[list[Choice]]]:
        """And what was found, the best last."""
        pairs: list[tuple[int, float]] = []
        if start is not None:
            for columns, choices, picked in zip(
                self.taken, self.question.choices, start, strict=True
            ):
                pairs += [
                    (column, float(choice.index == picked.index))
                    for column, choice in zip(columns, choices, strict=True)
                ]
        outcome = run(self.rows, seconds, gap, pairs)
        return outcome, [self.nearest(values) for values in outcome.values]

    def nearest(self, values: Figures) -> list[Choice]:
        """By task, the choice of which there is most."""
        return [
            choices[int(np.argmax(values[columns]))]
            for choices, columns in zip(self.question.choices, self.taken, strict=True)
        ]

    def _strengthen(self, values: Figures) -> bool:
        """Rows that only fractions of choices break; whether `values` breaks any. A fan costs at
        least what its dearest copy does, and that is seen from the source, not the destination."""
        return sum(self._dearest(number, values) for number in self._fans) > 0

    def _dearest(self, number: int, values: Figures) -> bool:
        stream = self.question.streams[number]
        counted = sum(values[column] * price for column, price in self._fans[number])
        everywhere = sorted({site for r in stream.readers for site in self._shares[r]})
        sources = tuple(self._shares[stream.maker])
        paid: list[tuple[int, float]] = []
        rows = []
        dearest = 0.0
        for layer in self._layered(stream, "cost", sources, tuple(everywhere)):
            here = self._share(stream.maker, layer.sources, -1.0)
            most = 0.0
            far = None
            for reader in stream.readers:
                there = self._share(reader, layer.destinations, 1.0)
                share = -sum(values[column] * value for column, value in (*here, *there))
                if share > most:
                    most, far = share, there
            if far is not None:
                dearest += most * layer.rise * stream.gigabytes
                rows.append((layer, [*here, *far]))
        if dearest <= counted + 1e-6 * (1.0 + counted):
            return False
        for layer, terms in rows:
            key = (number, layer)
            if key not in self._paid:
                self._paid[key] = self.rows.column()
            self.rows.row([(self._paid[key], 1.0), *terms], lower=0.0)
            paid.append((self._paid[key], -layer.rise * stream.gigabytes))
        self.rows.row([*self._fans[number], *paid], lower=0.0)
        return True

    def relaxed(self, left: Callable[[], float]) -> Outcome:
        """With fractions of choices allowed, as strong as it gets. `left`: seconds until time is
        out; then there are no values, or weaker ones."""
        if self._relaxation is None:
            self._relaxation = Relaxation(self.rows)
        outcome = self._relaxation.solve(left())
        for _ in range(ROUNDS):
            if not outcome.values or not self._strengthen(outcome.values[0]):
                break
            stronger = self._relaxation.solve(left())
            if stronger.feasible and not stronger.values:
                break
            outcome = stronger
        return outcome

    def _task(self, choices: Sequence[Choice]) -> None:
        columns = [self.rows.column(upper=1.0, whole=True) for _ in choices]
        self.rows.row([(column, 1.0) for column in columns], 1.0, 1.0)
        at_site: dict[int, list[int]] = {}
        for column, choice in zip(columns, choices, strict=True):
            at_site.setdefault(choice.site, []).append(column)
        shares = {}
        for site, here in sorted(at_site.items()):
            shares[site] = here[0]
            if len(here) > 1:
                shares[site] = self.rows.column(upper=1.0)
                terms = [(column, 1.0) for column in here]
                self.rows.row([(shares[site], -1.0), *terms], 0.0, 0.0)
        self.taken.append(columns)
        self._shares.append(shares)

    def _share(self, task: int, sites: Iterable[int], value: float) -> list[tuple[int, float]]:
        shares = self._shares[task]
        return [(shares[site], value) for site in sites if site in shares]

    def _bars(self, stream: Stream) -> None:
        """A source and a destination between which nothing may cross."""
        if stream.maker < 0:
            return
        sources = self._shares[stream.maker]
        for reader in stream.readers:
            barred: dict[tuple[int, ...], list[int]] = {}
            for site in self._shares[reader]:
                closed = tuple(a for a in sources if not isfinite(stream.prices.cost[a, site]))
                if closed:
                    barred.setdefault(closed, []).append(site)
            for closed, sites in barred.items():
                here, there = (
                    self._share(reader, sites, 1.0),
                    self._share(stream.maker, closed, 1.0),
                )
                self.rows.row([*here, *there], upper=1.0)

    def _crossing(self, number: int, figure: str) -> list[tuple[int, float]]:
        """What a stream's crossings come to, in one of the figures of Prices."""
        stream = self.question.streams[number]
        if stream.maker < 0:
            prices: Figures = getattr(stream.prices, figure)
            sites = sorted({site for reader in stream.readers for site in self._shares[reader]})
            return [
                (self._copy(number, site), float(prices[site]) * stream.gigabytes)
                for site in sites
                if prices[site] > 0.0
            ]
        if len(stream.readers) == 1:
            return self._pair(stream, stream.readers[0], figure)
        terms = self._fan(number, figure)
        if figure == "cost":
            self._fans[number] = terms
        return terms

    def _pair(self, stream: Stream, reader: int, figure: str) -> list[tuple[int, float]]:
        found = []
        between = tuple(self._shares[stream.maker]), tuple(self._shares[reader])
        for layer in self._layered(stream, figure, *between):
            paid = self.rows.column()
            sources = self._share(stream.maker, layer.sources, -1.0)
            destinations = self._share(reader, layer.destinations, 1.0)
            self.rows.row([(paid, 1.0), *sources, *destinations], lower=0.0)
            found.append((paid, layer.rise * stream.gigabytes))
        return found

    def _layered(
        self,
        stream: Stream,
        figure: str,
        sources: tuple[int, ...],
        destinations: tuple[int, ...],
        back: bool = False,
    ) -> tuple[Layer, ...]:
        """Reckoned once for all streams that share their prices. `back`: from destination to
        source."""
        key = (id(stream.prices), f"{figure} back" if back else figure, sources, destinations)
        if key not in self._layers:
            prices: Figures = getattr(stream.prices, figure)
            self._layers[key] = layers_of(prices.T if back else prices, sources, destinations)
        return self._layers[key]

    def _fan(self, number: int, figure: str) -> list[tuple[int, float]]:
        """One copy for each site, however many read there; its price depends on the source."""
        stream = self.question.streams[number]
        sources = tuple(self._shares[stream.maker])
        found = []
        for site in sorted({site for reader in stream.readers for site in self._shares[reader]}):
            copy = self._copy(number, site)
            for layer in self._layered(stream, figure, (site,), sources, back=True):
                paid = copy
                if layer.destinations:
                    paid = self.rows.column()
                    free = self._share(stream.maker, layer.destinations, 1.0)
                    self.rows.row([(paid, 1.0), (copy, -1.0), *free], lower=0.0)
                found.append((paid, layer.rise * stream.gigabytes))
        return found

    def _copy(self, number: int, site: int) -> int:
        if (number, site) not in self._copies:
            readers = self.question.streams[number].readers
            shares = [self._shares[r][site] for r in readers if site in self._shares[r]]
            copy = shares[0]
            if len(shares) > 1:
                copy = self.rows.column(upper=1.0)
                for share in shares:
                    self.rows.row([(copy, 1.0), (share, -1.0)], lower=0.0)
            self._copies[number, site] = copy
        return self._copies[number, site]

    def _times(self) -> None:
        """Starts, no sooner than everything is there."""
        question = self.question
        deadline = question.problem.deadline
        latest = np.inf if self.soonest or deadline is None else deadline
        starts = [self.rows.column(upper=latest) for _ in question.names]
        ends = [[(start, 1.0), *self._lasts(task)] for task, start in enumerate(starts)]
        limit = self.rows.column(upper=latest)
        if self.soonest:
            self.rows.price([(limit, 1.0)])
        for task, end in enumerate(ends):
            self.rows.row([(limit, 1.0), *_less(end)], lower=0.0)
            arrivals = [
                (column, -float(question.release[task, site]))
                for site, column in self._shares[task].items()
                if question.release[task, site] > 0.0
            ]
            if arrivals:
                self.rows.row([(starts[task], 1.0), *arrivals], lower=0.0)
            for before in question.waits[task]:
                self.rows.row([(starts[task], 1.0), *_less(ends[before])], lower=0.0)
        for stream in question.streams:
            if stream.maker < 0:
                continue
            for reader in stream.readers:
                delay = self._pair(stream, reader, "seconds")
                if delay:
                    terms = [(starts[reader], 1.0), *_less(ends[stream.maker]), *_less(delay)]
                    self.rows.row(terms, lower=0.0)

    def _lasts(self, task: int) -> list[tuple[int, float]]:
        choices = self.question.choices[task]
        return [
            (column, choice.seconds)
            for column, choice in zip(self.taken[task], choices, strict=True)
            if choice.seconds
        ]

    def _budget(self, crossings: Sequence[Terms]) -> None:
        objective, budget = self.question.problem.objective, self.question.problem.budget
        assert budget is not None
        terms: list[tuple[int, float]] = []
        for choices, columns in zip(self.question.choices, self.taken, strict=True):
            terms += [(c, choice.money) for c, choice in zip(columns, choices, strict=True)]
        for number, counted in enumerate(crossings):
            if objective.carbon == 0.0:
                terms += [(column, value / objective.money) for column, value in counted]
            else:
                terms += self._crossing(number, "money")
        self.rows.row(terms, upper=budget)


def _less(terms: Terms) -> list[tuple[int, float]]:
    return [(column, -value) for column, value in terms]
