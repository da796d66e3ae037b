"""What endpoints spooled, committed to the ledger: they need none to answer."""

import json
import re
from pathlib import Path

from freehold.app.site.opening import Site
from freehold.catalog.endpoint_events import draft_of, is_known
from freehold.domain.canonical import canonical
from freehold.domain.fact import Draft
from freehold.domain.projection import State

ASIDE = ".refused"
"""Put behind the name of a file that is no event, so that a person can look at it."""
SPOOLED = re.compile(r"[0-9]+-[0-9]+-[0-9]+\.json")
"""Names that endpoints give: one stands in the fact, and is no place for words either."""


def collect_events(site: Site) -> int:
    """Append each spooled event once, then delete its file. Returns the number appended."""
    paths = sorted((site.serving / "events").glob("*.json"))
    drafts: dict[str, Draft] = {}
    for path in paths:
        draft = _draft(path)
        if draft is None:
            path.rename(path.with_name(path.name + ASIDE))
        else:
            drafts[path.name] = draft

    def decision(state: State) -> list[Draft]:
        return [draft for file, draft in drafts.items() if not is_known(state, site.name, file)]

    appended = site.ledger.decide(decision) if drafts else ()
    for path in paths:
        path.unlink(missing_ok=True)
    return len(appended)


def _draft(path: Path) -> Draft | None:
    """None for what no endpoint spools, and for what the history could not hold."""
    if SPOOLED.fullmatch(path.name) is None:
        return None
    try:
        draft = draft_of(path.name, json.loads(path.read_bytes()))
        canonical(dict(draft.body))
    except (ValueError, TypeError, RecursionError):
        return None
    return draft
