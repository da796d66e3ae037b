"""Facts of some types, read from the log."""

from collections.abc import Iterable, Iterator

import orjson

from freehold.app.site.opening import Site
from freehold.domain.fact import Fact


def facts_of(site: Site, *types: str) -> Iterator[Fact]:
    """Oldest first."""
    return facts_among((encoded for _, encoded in site.ledger.lines()), *types)


def facts_among(lines: Iterable[bytes], *types: str) -> Iterator[Fact]:
    """Of canonical lines; those that cannot be of these types are not parsed."""
    marks = [f'"type":"{name}"'.encode() for name in types]
    for encoded in lines:
        if any(mark in encoded for mark in marks):
            fact = Fact.from_json(orjson.loads(encoded))
            if fact.type in types:
                yield fact
