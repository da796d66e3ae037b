"""Graphs, sites and offers, drawn small."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from freehold.domain.graph import Graph, Node, Reference
from freehold.domain.offer import Figure, Hardware, Offer
from freehold.domain.step import Needs, Parameter, StepDefinition
from freehold.planning.ground import Ground, Way

GIB = 2**30


def figure(value: float, unit: str = "USD/h") -> Figure:
    return Figure(value, unit, "a test's")


@dataclass
class Drawing:
    """A graph by its edges: step → the steps that it reads."""

    edges: Mapping[str, Sequence[str]]
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)

    def graph(self, **of_graph: Any) -> Graph:
        nodes = tuple(self._node(name) for name in self.edges)
        last = nodes[-1].name
        return Graph("train", nodes, **{"result": Reference(last), **of_graph})

    def _node(self, name: str) -> Node:
        reads = self.edges[name]
        definition = StepDefinition(
            name,
            "m",
            lambda: None,
            tuple(Parameter(f"p{number}", Any) for number in range(len(reads))),
            **self.steps.get(name, {}),
        )
        arguments = {f"p{number}": Reference(maker) for number, maker in enumerate(reads)}
        return Node(name, definition, arguments, f"m.py:{len(name)}")


@pytest.fixture
def draw() -> Callable[..., Graph]:
    def made(edges: Mapping[str, Sequence[str]], **steps: dict[str, Any]) -> Graph:
        return Drawing(edges, steps).graph()

    return made


@pytest.fixture
def offer() -> Callable[..., Offer]:
    def made(site: str, machine: str = "m", price: float = 1.0, **more: Any) -> Offer:
        hardware = more.pop("hardware", Hardware(4, 16 * GIB))
        return Offer(site, machine, hardware, figure(price), **more)

    return made


@pytest.fixture
def ground() -> Callable[..., Ground]:
    def made(*offers: Offer, per_gigabyte: float = 0.1, **more: Any) -> Ground:
        sites = tuple(dict.fromkeys([one.site for one in offers] + list(more.pop("sites", ()))))
        by_site = {site: tuple(o for o in offers if o.site == site) for site in sites}
        way = Way(figure(per_gigabyte, "USD/GB"), figure(0.0, "kg/GB"), figure(8.0, "s/GB"))
        ways = {(a, b): way for a in sites for b in sites if a != b}
        given = {
            "here": sites[0],
            "sites": sites,
            "offers": by_site,
            "ways": ways,
            "storage": {},
            "quotas": {},
            "currency": "USD",
            "keep_days": 30.0,
        }
        return Ground(**{**given, **more})

    return made


@pytest.fixture
def needs() -> Callable[..., Needs]:
    return Needs
