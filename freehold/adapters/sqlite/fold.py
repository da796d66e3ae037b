"""Folds facts, page by page in their common order, into a state that gathers their rows."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import orjson

from freehold.adapters.sqlite.state import At, GatheredState
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Fact
from freehold.domain.projection import Folding


class Page(NamedTuple):
    entries: list[tuple[At, bytes]]
    """Places, and canonical bytes."""
    noted: bool
    """Whether what each replaces is to be noted at its place."""


class Fold(Protocol):
    def fold(self, pages: Iterable[Page], state: GatheredState) -> None:
        """Raises IntegrityError `ledger.damaged` if bytes are no fact."""


class FoldHere:
    def __init__(self, folding: Folding) -> None:
        self._folding = folding

    def fold(self, pages: Iterable[Page], state: GatheredState) -> None:
        for page in pages:
            for place, encoded in page.entries:
                state.place = place if page.noted else None
                try:
                    fact = Fact.from_json(orjson.loads(encoded))
                except (ValueError, AttributeError) as exc:
                    raise unreadable(place[3], place[2], exc) from exc
                self._folding.fold_read(fact, state)


def unreadable(sequence: int, writer: str, exc: Exception) -> IntegrityError:
    return IntegrityError(
        f"entry {sequence} of {writer} cannot be read",
        why=str(exc),
        code="ledger.damaged",
        hint="run `freehold audit verify`, and restore the ledger from a copy",
    )
