"""One order for the facts of all logs, the same wherever it is computed.

A fact's place is its effective time, then its writer, then its sequence. The effective time is the
hybrid logical time (Kulkarni et al., 2014) of the fact over its causal past: later than that of
the fact before it in its log, and than those of all heads that its writer had seen. So a cause
comes before its effect whatever the clocks say, and a clock that is wrong counts only among facts
of which neither had seen the other.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import orjson

from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import LIMIT, HybridTime
from freehold.domain.projection import SEEN, State

BEGINNING = HybridTime(0)
PAGE = 50_000
"""Places that `settle` gives at a time, at most."""


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


TimeOf = Callable[[str, int], HybridTime]
"""Effective time of an entry that has its place, by writer and sequence."""


def settle(
    waiting: Mapping[str, Iterator[Outline]], folded: dict[str, int], time_of: TimeOf
) -> Iterator[list[Place]]:
    """The places of entries whose causal past is here, each after its causes; not sorted.

    `waiting`: by writer, those of its log from `folded[writer]` on. `folded` is moved along.
    Entries that saw what is not here yet are left waiting. When the next page is asked for,
    `time_of` must know the places of the one before: no more than a page is kept here.
    """
    page: list[Place] = []
    given: dict[tuple[str, int], HybridTime] = {}
    next_of = {writer: next(outlines, None) for writer, outlines in waiting.items()}

    def time_at(writer: str, size: int) -> HybridTime:
        """Of the last of the first `size` entries."""
        if size == 0:
            return BEGINNING
        known = given.get((writer, size - 1))
        return time_of(writer, size - 1) if known is None else known

    moved = True
    while moved:
        moved = False
        for writer in sorted(next_of):
            if (found := next_of[writer]) is None:
                continue
            sequence = folded[writer]
            time = time_at(writer, sequence)
            while found is not None:
                wall, seen = found
                if seen:
                    if any(folded.get(other, 0) < size for other, size in seen.items()):
                        break
                    time = max(time, *(time_at(other, size) for other, size in seen.items()))
                time = given[writer, sequence] = time.next(wall)
                page.append(Place(*time, writer, sequence))
                sequence += 1
                folded[writer] = sequence
                moved = True
                if len(page) == PAGE:
                    yield page
                    page = []
                    given.clear()
                found = next(waiting[writer], None)
            next_of[writer] = found
    if page:
        yield page


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
