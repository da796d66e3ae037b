"""The requests that a release's rollback rests on: kept beside the history, since an id may be a
client's own words, and told while they are."""

import json

from freehold.app.history.facts import facts_of
from freehold.app.release.observations import own_rows
from freehold.app.site.opening import Site
from freehold.delivery.decision import Rollback
from freehold.delivery.witnesses import Witness, witnesses
from freehold.domain.canonical import canonical
from freehold.domain.errors import IntegrityError
from freehold.domain.release import Release


def find(site: Site, release: Release, decision: Rollback) -> tuple[Witness, ...]:
    """In the request log of this site."""
    rows = own_rows(site, release)
    return () if rows is None else witnesses(rows, decision.guardrail)


def keep(site: Site, found: tuple[Witness, ...]) -> str:
    """Name of the attachment; empty if there are none."""
    if not found:
        return ""
    return site.attachments.put(canonical({"requests": [one.as_json() for one in found]}))


def told(site: Site, release: Release) -> tuple[Witness, ...]:
    """Of a release that an analysis took back; none where they were erased, or are another site's
    to tell."""
    for fact in facts_of(site, "release.rolled-back"):
        body = fact.body
        if body["release"] != release.id or body.get("decided") != "analysis":
            continue
        if not body["reason"]:
            continue
        try:
            kept = json.loads(site.attachments.get(str(body["reason"])))
        except IntegrityError as exc:
            if exc.code != "attachment.erased":
                raise
            continue
        return tuple(map(Witness.from_json, kept["requests"]))
    return ()
