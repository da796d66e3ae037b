"""Which labels everything in a pipeline bears before any of it is made.

What a step makes bears the labels of all that it reads and its own, less those that it declares to
lower. Nothing else takes a label away.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from freehold.domain.graph import Graph
from freehold.domain.labels import inherited, lowered

Labels = Mapping[str, str]


@dataclass(frozen=True)
class StepLabels:
    reads: Labels
    """Of all its inputs together."""
    bears: Labels
    """What it handles: of its inputs, and its own. Where it runs must allow these."""
    makes: Labels
    """Of its outputs."""

    @property
    def lowers(self) -> Labels:
        """What its outputs no longer bear."""
        gone: dict[str, str] = {}
        for name, value in self.bears.items():
            left = set(self.makes.get(name, "").split(",")) if name in self.makes else set()
            if taken := [one for one in value.split(",") if one not in left]:
                gone[name] = ",".join(taken)
        return gone


def labels_of(
    graph: Graph,
    known: Mapping[str, Labels] | None = None,
    ignored: Mapping[str, set[str]] | None = None,
) -> dict[str, StepLabels]:
    """By step, in an order in which they could run. `known`: labels that recorded outputs of a step
    already bear; `ignored`: step → labels of its own that are left out, to see what that changes.
    The graph was checked."""
    parents = graph.parents()
    readers = {node.name: {found.node for _, found in node.references()} for node in graph.nodes}
    found: dict[str, StepLabels] = {}
    waiting = {node.name: node for node in graph.nodes}
    while waiting:
        for name in [one for one in waiting if all(p in found for p in parents[one])]:
            node = waiting.pop(name)
            reads = inherited(found[maker].makes for maker in sorted(readers[name]))
            own = lowered(node.step.labels, (ignored or {}).get(name, ()))
            bears = inherited([reads, own])
            makes = inherited([lowered(bears, node.step.lowers), (known or {}).get(name, {})])
            found[name] = StepLabels(reads, bears, makes)
    return found
