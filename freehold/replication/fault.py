"""What is wrong with a log in a meeting store."""

from dataclasses import dataclass

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import Conflict


@dataclass(frozen=True)
class LogFault:
    """Something that is not believed. The log stays where it was; others go on."""

    writer: str
    store: str
    """The name by which the caller knows it; empty if every store has it."""
    kind: str
    """`head.corrupt`, `head.signature`, `segment.corrupt`, `segment.missing`, `segment.too-large`,
    `entry.wrong`, `root.wrong`, `log.forked`; else the code of the store's own error."""
    what: str
    sequence: int | None = None
    """Of the entry from which on nothing could be taken."""
    size: int | None = None
    """Of the head that it is about."""


class NotBelieved(ValueError):
    """Bytes of a store that are not what they should be; becomes a LogFault."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind, self.what = kind, what


class LogConflict(Conflict):
    """A store knows more, or something else, of the own log than the own ledger does.

    Codes: `log.behind`, the store has a greater signed head; `log.forked`, it has a signed head
    of another root. The remedy is the same: go on in a new log, keeping `agreed` entries.
    """

    code = "log.behind"

    def __init__(
        self, *, ours: int, theirs: Checkpoint, agreed: int | None, signed: int = 0
    ) -> None:
        behind = theirs.size > ours
        super().__init__(
            f"the log {theirs.writer} is not the one that the store knows",
            why=f"here it has {ours} entries, there a head of {theirs.size} is signed with its key"
            + ("" if behind else " over other entries")
            + ("" if agreed is None else f"; the first {agreed} are the same"),
            hint="the state was restored from a backup, or is used twice: stop the other one, and "
            "synchronize again, so that this site goes on in a new log",
            code="log.behind" if behind else "log.forked",
        )
        self.ours = ours
        """Entries of the own ledger."""
        self.theirs = theirs
        """The greatest contradicting head, validly signed."""
        self.agreed = agreed
        """Number of first entries that are the same on both sides; None if the store's copy
        cannot be read, and then nothing should be cut."""
        self.signed = signed
        """Size of the greatest head that the store has and the ledger holds: so many first entries
        at least are the same."""
