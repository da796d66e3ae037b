"""One order for the facts of all logs, the same wherever it is computed.

A fact's place is its effective time, then its writer, then its sequence. The effective time is the
hybrid logical time (Kulkarni et al., 2014) of the fact over its causal past: later than that of
the fact before it in its log, and than those of all heads that its writer had seen. So a cause
comes before its effect whatever the clocks say, and a clock that is wrong counts only among facts
of which neither had seen the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import LIMIT, HybridTime
from freehold.domain.projection import SEEN, State

BEGINNING = HybridTime(0)


@dataclass(frozen=True, order=True)
class Place:
    """Where a fact stands among those of all logs."""

    time: HybridTime
    """Effective."""
    writer: str
    sequence: int


TimeOf = Callable[[str, int], HybridTime]
"""Effective time of an entry that has its place, by writer and sequence."""


def settle(
    waiting: Mapping[str, Iterator[Fact]], folded: dict[str, int], time_of: TimeOf
) -> Iterator[tuple[Place, Fact]]:
    """The facts whose causal past is here, each after its causes; not sorted by place.

    `waiting`: by writer, those of its log from `folded[writer]` on. `folded` is moved along, and
    what is given out counts as placed. Facts that saw what is not here yet are left waiting.
    """
    given: dict[tuple[str, int], HybridTime] = {}
    next_of = {writer: next(facts, None) for writer, facts in waiting.items()}

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
            while (fact := next_of[writer]) is not None:
                time = time_at(writer, fact.sequence)
                if fact.seen:
                    seen = {other: seen_size(head) for other, head in fact.seen.items()}
                    if any(folded.get(other, 0) < size for other, size in seen.items()):
                        break
                    time = max(time, *(time_at(other, size) for other, size in seen.items()))
                time = time.next(fact.time.wall)
                given[writer, fact.sequence] = time
                folded[writer] = fact.sequence + 1
                yield Place(time, writer, fact.sequence), fact
                next_of[writer] = next(waiting[writer], None)
                moved = True


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
