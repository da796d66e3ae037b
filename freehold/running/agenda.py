"""Which steps are free to run, and whose outputs nobody will read any more."""

from collections import Counter, deque

from freehold.domain.graph import Graph, Node


class Agenda:
    def __init__(self, graph: Graph) -> None:
        parents = graph.parents()
        self._nodes = {node.name: node for node in graph.nodes}
        self._missing = {name: set(before) for name, before in parents.items()}
        self._children: dict[str, list[str]] = {name: [] for name in self._nodes}
        for name, before in parents.items():
            for parent in before:
                self._children[parent].append(name)
        self._read_by = {node.name: {f.node for _, f in node.references()} for node in graph.nodes}
        self._readers = Counter(name for read in self._read_by.values() for name in read)
        self._free = deque(name for name, before in parents.items() if not before)

    def next(self) -> Node | None:
        """A step whose parents are all done; each is given once."""
        return self._nodes[self._free.popleft()] if self._free else None

    def done(self, name: str) -> list[str]:
        """Take note that a step is done. Returns the steps that it was the last to read."""
        for child in self._children[name]:
            missing = self._missing[child]
            missing.discard(name)
            if not missing:
                self._free.append(child)
        unread = []
        for parent in self._read_by[name]:
            self._readers[parent] -= 1
            if not self._readers[parent]:
                unread.append(parent)
        return unread
