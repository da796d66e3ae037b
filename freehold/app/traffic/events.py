"""What endpoints spooled, committed to the ledger: they need none to answer."""

import json
from pathlib import Path

from freehold.app.site.opening import Site
from freehold.domain.fact import Draft


def collect_events(site: Site) -> int:
    """Append each spooled event, then delete its file. Returns their number.

    A crash between the two appends an event again: `file` tells the copies apart.
    """
    paths = sorted((site.serving / "events").glob("*.json"))
    drafts = [_draft(path) for path in paths]
    if drafts:
        site.ledger.append(drafts)
    for path in paths:
        path.unlink(missing_ok=True)
    return len(drafts)


def _draft(path: Path) -> Draft:
    event = json.loads(path.read_bytes())
    body = {name: value for name, value in event.items() if name != "type"}
    return Draft(str(event["type"]), {**body, "file": path.name})
