"""What endpoints spooled, committed to the ledger: they need none to answer."""

import json

from freehold.app.site.opening import Site
from freehold.catalog.endpoint_events import draft_of, is_known
from freehold.domain.fact import Draft
from freehold.domain.projection import State

ASIDE = ".refused"
"""Put behind the name of a file that is no event, so that a person can look at it."""


def collect_events(site: Site) -> int:
    """Append each spooled event once, then delete its file. Returns the number appended."""
    paths = sorted((site.serving / "events").glob("*.json"))
    drafts: dict[str, Draft] = {}
    for path in paths:
        try:
            drafts[path.name] = draft_of(path.name, json.loads(path.read_bytes()))
        except ValueError:
            path.rename(path.with_name(path.name + ASIDE))

    def decision(state: State) -> list[Draft]:
        return [draft for file, draft in drafts.items() if not is_known(state, file)]

    appended = site.ledger.decide(decision) if drafts else ()
    for path in paths:
        path.unlink(missing_ok=True)
    return len(appended)
