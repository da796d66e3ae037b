"""`freehold hold`: what must stay, whatever the retention says, until a person releases it."""

import re

from freehold.app.model.naming import resolve
from freehold.app.run.runs import known_run
from freehold.app.site.opening import Site
from freehold.app.storage.inspection import find
from freehold.app.storage.survey import survey
from freehold.catalog.retention.holds import Kind, hold_of, holds_of, place, release
from freehold.catalog.retention.holds import LegalHold as LegalHold
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft
from freehold.domain.projection import State

_WHOLE = re.compile(r"sha256:[0-9a-f]{64}")


def name_of(site: Site, what: str) -> tuple[Kind, str]:
    """What a person names: `model@version`, a digest or the beginning of one, a run.

    A whole digest may be of something that another site has. Raises NotFound, WrongUsage.
    """
    if "@" in what:
        return "version", resolve(site, what).name
    if _WHOLE.fullmatch(what):
        return "digest", what
    if ":" in what:
        return "digest", find(survey(site).objects, what).digest
    return "run", str(known_run(site, what)["run"])


def place_hold(site: Site, kind: Kind, name: str, reason: str = "") -> LegalHold:
    """The words of `reason` become an attachment."""
    kept = site.attachments.put(reason.encode()) if reason else ""

    def decision(state: State) -> list[Draft]:
        draft = place(state, kind, name, kept, (site.ledger.writer, site.clock()))
        return [Draft(draft.type, draft.body, actor=site.actor)]

    (entry,) = site.ledger.decide(decision)
    return hold_of(site.state, entry.fact.body["hold"])


def release_hold(site: Site, hold: str) -> LegalHold:
    """Raises NotFound `hold.not-found`."""
    released = hold_of(site.state, hold)

    def decision(state: State) -> list[Draft]:
        draft = release(state, hold)
        return [Draft(draft.type, draft.body, cause=draft.cause, actor=site.actor)]

    site.ledger.decide(decision)
    return released


def standing_hold(site: Site, hold: str) -> LegalHold:
    """By its name, or by what it holds if that is held once. Raises NotFound `hold.not-found`."""
    found = [one for one in holds_of(site.state) if one.name == hold]
    return found[0] if len(found) == 1 else hold_of(site.state, hold)


def holds(site: Site) -> list[LegalHold]:
    """Those that stand, oldest first."""
    return holds_of(site.state)


def reason_of(site: Site, hold: LegalHold) -> str | None:
    """Its words; empty if none were given, None if they are not here: erased, or another
    site's."""
    if not hold.reason:
        return ""
    try:
        return site.attachments.get(hold.reason).decode()
    except IntegrityError as error:
        if error.code != "attachment.erased":
            raise
        return None
