"""The end of a log, and what appending to it gives. Every ledger extends its log with this."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Draft, Entry, Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier


@dataclass
class Head:
    writer: str
    frontier: Frontier = field(default_factory=Frontier)
    time: HybridTime = field(default_factory=lambda: HybridTime(0))

    def extend(
        self, drafts: Iterable[Draft], wall: int, seen: Mapping[str, str] | None = None
    ) -> tuple[Entry, ...]:
        """Entries that follow the head, which moves to the last of them.

        `seen`: heads of other logs that are new; the first of the entries says so. Raises
        ValueError or TypeError if a draft is not JSON; the head is then of no use.
        """
        entries = []
        time, first = self.time, self.frontier.size
        for sequence, draft in enumerate(drafts, first):
            time = time.next(wall)
            fact = Fact(
                type=draft.type,
                version=draft.version,
                writer=self.writer,
                sequence=sequence,
                time=time,
                seen=(seen or {}) if sequence == first else {},
                cause=self._resolved(draft.cause, first) if draft.cause else (),
                actor=draft.actor,
                body=draft.body,
            )
            entries.append(Entry.of(fact))
        self.frontier.extend([entry.leaf for entry in entries])
        self.time = time
        return tuple(entries)

    def _resolved(self, cause: tuple[str, ...], first: int) -> tuple[str, ...]:
        return tuple(
            f"{self.writer}/{first + int(name[1:])}" if name.startswith("+") else name
            for name in cause
        )

    def checkpoint(self, wall: int, key: str) -> Checkpoint:
        """Unsigned."""
        return Checkpoint(
            writer=self.writer,
            size=self.frontier.size,
            root=self.frontier.root().hex(),
            wall=wall,
            key=key,
        )
