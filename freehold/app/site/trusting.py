"""`freehold sites trust` and `freehold sites rekey`: whose history is believed, and the own key."""

import re

from freehold.app import adapters
from freehold.app.site.keys import next_key_path, put_in_place
from freehold.app.site.opening import Site
from freehold.domain.errors import Conflict, NotFound, WrongUsage
from freehold.domain.fact import Draft, writer_name
from freehold.ports.signer import Signer
from freehold.replication.trust import HANDED_OVER, TRUSTED

_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")


def plan_trust(site: Site, name: str, key: str) -> None:
    """Whether `trust` would do it, before anybody is asked.

    Raises NotFound `site.unknown`, WrongUsage `usage.fingerprint`, Conflict `site.trusted`.
    """
    if name not in site.project.site_names:
        raise NotFound(
            f"there is no site '{name}'",
            why=f"the project has {', '.join(site.project.site_names)}",
            hint="name one of these, or add it to `sites` in freehold.yaml",
            code="site.unknown",
        )
    if not _FINGERPRINT.fullmatch(key):
        raise WrongUsage(
            f"'{key}' is no fingerprint of a key",
            why="it is sha256: and 64 hexadecimal digits",
            hint=f"`freehold sites --site {name}` at that site shows it",
            code="usage.fingerprint",
        )
    if site.state.get(TRUSTED, f"{site.name}/{name}/{key}") is not None:
        raise Conflict(
            f"this key of {name} is believed here already",
            why="a person said so before",
            hint="`freehold sync` takes what it signed",
            code="site.trusted",
        )


def trust(site: Site, name: str, key: str) -> None:
    """Believe the logs of a site that are signed with this key, from the next meeting on.

    `key`: its fingerprint, which that site's people tell over another way than the stores.
    Raises what `plan_trust` raises.
    """
    plan_trust(site, name, key)
    site.ledger.append([Draft("site.trusted", {"site": name, "key": key}, actor=site.actor)])


def rekey(site: Site) -> str:
    """Go on with a new key, in a new log. The old log's last entry, signed with the old key, names
    the new one, so that whoever believed the old one believes it. Returns its fingerprint.

    The old key stays beside it as `site.key.old`. The site must be opened again.
    """
    path = next_key_path(site.key_path)
    signer_class = adapters.embedded("signer")
    # One that was interrupted is gone on with: a log hands over once.
    new: Signer = signer_class(path) if path.exists() else signer_class.create(path)
    fingerprint = new.public.fingerprint
    site.keyring.add(site.signer.public)
    body = {"site": site.name, "key": fingerprint}
    if site.state.get(HANDED_OVER, f"{site.name}/{fingerprint}") is None:
        site.ledger.append([Draft("key.replaced", body, actor=site.actor)])
    site.ledger.continue_as(writer_name(site.name, fingerprint), new, None)
    put_in_place(site.key_path)
    return fingerprint
