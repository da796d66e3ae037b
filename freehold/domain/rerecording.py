"""Entries that were cut off one log, as drafts for another."""

from collections.abc import Sequence

from freehold.domain.fact import Draft, Fact


def drafts_of(facts: Sequence[Fact], writer: str) -> tuple[Draft, ...]:
    """`facts`: consecutive entries at the end of a log that nobody else has seen. They are to be
    the first entries of `writer`'s log; what they name among themselves is named anew."""
    if not facts:
        return ()
    first, names = facts[0].sequence, {fact.name for fact in facts}

    def renamed(name: str) -> str:
        if name not in names:
            return name
        return f"{writer}/{int(name.rpartition('/')[2]) - first}"

    return tuple(
        Draft(fact.type, fact.body, fact.version, tuple(map(renamed, fact.cause)), fact.actor)
        for fact in facts
    )
