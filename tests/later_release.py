"""Facts as a later release writes them: its tables are others, and so are the bodies."""

from collections.abc import Callable
from pathlib import Path

from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.fact import Draft
from freehold.domain.projection import Projection
from freehold.ports.signer import Signer


def append_later(
    path: Path, writer: str, signer: Signer, clock: Callable[[], int], *drafts: Draft
) -> list[str]:
    """To a ledger that nobody has open. Returns the facts' names."""
    ledger = SqliteLedger(
        path,
        writer=writer,
        signer=signer,
        clock=clock,
        projections=[Projection("later", 1, frozenset(), lambda fact, state: ())],
    )
    entries = ledger.append(drafts)
    ledger.close()
    return [entry.fact.name for entry in entries]
