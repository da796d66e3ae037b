"""One order for the facts of all logs, the same wherever it is computed.

A fact's place is its effective time, then its writer, then its sequence. The effective time is the
hybrid logical time (Kulkarni et al., 2014) of the fact over its causal past: later than that of
the fact before it in its log, and than those of all heads that its writer had seen. So a cause
comes before its effect whatever the clocks say, and a clock that is wrong counts only among facts
of which neither had seen the other.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heappop, heappush, heapreplace
from typing import NamedTuple, TypeVar

import orjson

from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import LIMIT, HybridTime
from freehold.domain.projection import SEEN, State

BEGINNING = HybridTime(0)
KEPT = 10_000
"""Times of each log that are kept while entries are put in order, at least."""


class Place(NamedTuple):
    """Where a fact stands among those of all logs. Sorts so."""

    wall: int
    """This and the next: the effective time."""
    logical: int
    writer: str
    sequence: int

    @property
    def time(self) -> HybridTime:
        return HybridTime(self.wall, self.logical)


Outline = tuple[int, Mapping[str, int]]
"""What the place of an entry depends on, beside the entries before it: its wall time, and of other
writers, how many entries it had seen."""
_PLAIN_END = re.compile(
    rb'"seen":\{\},"sequence":\d+,"time":\{"logical":\d+,"wall":(\d+)\},'
    rb'"type":"[^"\\]*","version":\d+,"writer":"[^"\\]*"\}'
)
_END_BEGINS = b'"seen":{},"sequence":'


def outline_of(fact: Fact) -> Outline:
    """Raises ValueError if a head that it saw is none."""
    return fact.time.wall, _sizes(fact.seen)


def outline(encoded: bytes) -> Outline:
    """Of a stored entry, mostly without parsing it. Raises ValueError if it is not a fact.

    The last members of canonical bytes come after the body. Where the bytes end as `_PLAIN_END`
    says, those members are the fact's own: read from the end, each quote in it begins or ends a
    text, since no backslash stands before one, and the last brace closes the fact.
    """
    found = _PLAIN_END.fullmatch(encoded, max(encoded.rfind(_END_BEGINS), 0))
    if found is not None:
        return int(found[1]), _NONE
    return outline_of(Fact.from_json(orjson.loads(encoded)))


_NONE: Mapping[str, int] = {}


def _sizes(seen: Mapping[str, str]) -> Mapping[str, int]:
    return {other: seen_size(head) for other, head in seen.items()} if seen else _NONE


Item = TypeVar("Item")
TimeOf = Callable[[str, int], HybridTime]
"""Effective time of an entry that has its place, by writer and sequence."""


def in_order(
    waiting: Mapping[str, Iterator[tuple[Outline, Item]]], folded: dict[str, int], time_of: TimeOf
) -> Iterator[tuple[Place, Item]]:
    """Those whose causal past is here, in the common order.

    `waiting`: by writer, the entries of its log from `folded[writer]` on, each as whatever the
    caller wants back. `folded` is moved along. Entries that saw what is not here yet are left
    waiting, with all that follows them in their log. `time_of` must know whatever was given: only
    the latest times are kept here.

    The next entry of each log has its place, or saw one that was not given yet, after which it will
    stand. So the first of those that have a place is the first of all that are to come.
    """
    times: dict[str, _Times] = {}
    heads: dict[str, tuple[Outline, Item]] = {}
    ready: list[Place] = []
    asleep: dict[str, list[str]] = {}
    """By writer, those whose next entry saw more of its log than was given yet."""

    def times_of(writer: str) -> _Times:
        if writer not in times:
            times[writer] = _Times(writer, folded.get(writer, 0), time_of)
        return times[writer]

    def place_of_next(writer: str) -> Place | None:
        """None if there is no next one, and while it waits."""
        if writer not in heads:
            return None
        wall, seen = heads[writer][0]
        own = times_of(writer)
        time = own.last
        if seen:
            for other, size in seen.items():
                if folded.get(other, 0) < size:
                    asleep.setdefault(other, []).append(writer)
                    return None
            past = (times_of(other).at(size - 1) for other, size in seen.items() if size)
            time = max((time, *past))
        time = time.next(wall)
        own.add(time)
        return Place(*time, writer, folded[writer])

    def advance(writer: str) -> Place | None:
        head = next(waiting[writer], None)
        if head is None:
            heads.pop(writer, None)
            return None
        heads[writer] = head
        return place_of_next(writer)

    for writer in waiting:
        if (place := advance(writer)) is not None:
            heappush(ready, place)
    while ready:
        given = ready[0]
        writer = given.writer
        folded[writer] = given.sequence + 1
        yield given, heads[writer][1]
        if (place := advance(writer)) is None:
            heappop(ready)
        else:
            heapreplace(ready, place)
        for other in asleep.pop(writer, ()):
            if (place := place_of_next(other)) is not None:
                heappush(ready, place)


class _Times:
    """Effective times of one log's entries."""

    def __init__(self, writer: str, size: int, time_of: TimeOf) -> None:
        """`size`: how many have their place already."""
        self._writer, self._time_of = writer, time_of
        self._first, self._latest = size, list[HybridTime]()
        self.last = time_of(writer, size - 1) if size else BEGINNING

    def add(self, time: HybridTime) -> None:
        self.last = time
        self._latest.append(time)
        if len(self._latest) > 2 * KEPT:
            del self._latest[:KEPT]
            self._first += KEPT

    def at(self, sequence: int) -> HybridTime:
        if sequence < self._first:
            return self._time_of(self._writer, sequence)
        return self._latest[sequence - self._first]


def seen_size(head: str) -> int:
    """Of a seen head, `size:root`. Raises ValueError if it is not one."""
    size, colon, root = head.partition(":")
    if not colon or not (size.isascii() and size.isdigit()) or len(root) != 64:
        raise ValueError(f"not a head of a log: {head!r}")
    if len(size) > len(str(LIMIT)):
        raise ValueError(f"no log has so many entries: {head[:20]}…")
    return int(size)


def knew(state: State, fact: Fact, name: str) -> bool:
    """Whether the writer of `fact` had seen the fact of this name when it wrote.

    To be asked while `fact` is being folded. Of two facts neither of which knew the other,
    the one that is folded later is the one that asks: they are concurrent.
    """
    writer, _, sequence = name.rpartition("/")
    if writer == fact.writer:
        return True
    return bool((state.get(SEEN, fact.writer) or {}).get(writer, 0) > int(sequence))


def unseen(state: State, fact: Fact, names: Iterable[str]) -> list[str]:
    """Those of the facts of these names that the writer of `fact` had not seen. See `knew`."""
    return [name for name in names if not knew(state, fact, name)]
