"""What ends by itself: what opens stores and key services, and the site's own key."""

import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

from freehold.app.site.health.finding import Finding, Standing, duration
from freehold.app.site.stores import KEY_SECRETS, secrets_of
from freehold.ports.key_service import End
from freehold.ports.object_store import STORE_SECRETS

SOON = 7 * 86_400
"""Seconds before the end of a token at which it is told."""
OLD_KEY = 365 * 86_400
_TOKENS = ("session_token", "token")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def examine_tokens(site: str, environment: Mapping[str, str], now: float) -> Iterator[Finding]:
    """Those by which a site's store is opened. `now`: seconds since 1970 UTC."""
    found = secrets_of(site, STORE_SECRETS, environment)
    if "sas_token" in found:
        yield _of_sas(site, found["sas_token"], now)
    for name in _TOKENS:
        if name in found:
            yield _of_token(site, "its store", variable(site, name))


def examine_key_tokens(
    site: str, environment: Mapping[str, str], is_told: bool = False
) -> Iterator[Finding]:
    """Those by which a site's key service is opened, as far as their end cannot be told. `is_told`:
    the service has been asked for that of its own."""
    found = secrets_of(f"{site}-key", KEY_SECRETS, environment)
    for name in _TOKENS:
        if name in found and not (is_told and name == "token"):
            yield _of_token(site, "its key service", variable(f"{site}-key", name))


def of_end(site: str, end: End, now: float) -> Finding:
    """Of a site's key service. `now`: seconds since 1970 UTC."""
    left = end.at - now
    lost = "nobody can ever read what it encrypted"
    standing: Standing = "bad"
    if left <= 0:
        what = f"{end.what} ended {duration(left)} ago" + (f", and {lost}" if end.is_loss else "")
    elif end.is_loss:
        what = f"{end.what} ends in {duration(left)}, and then {lost}"
    else:
        what = f"{end.what} ends in {duration(left)}"
        standing = "warning" if left < SOON else "good"
    why, hint = (end.why, end.hint) if standing != "good" else ("", "")
    return Finding("expiry", standing, what, why, hint, site, figures={"left_seconds": left})


def variable(site: str, name: str) -> str:
    """Of the environment, that a secret of a site's store is read from."""
    return f"FREEHOLD_{site}_{name}".upper().replace("-", "_")


def _of_token(site: str, opens: str, where: str) -> Finding:
    return Finding(
        "token",
        "warning",
        f"a temporary token opens {opens}; when it ends cannot be told from it",
        why=f"{where} is set",
        hint="renew it before its end as whoever issued it says, or use a key that lasts",
        about=site,
    )


def _of_sas(site: str, token: str, now: float) -> Finding:
    where = variable(site, "sas_token")
    hint = f"make a new shared access signature for the container and set {where} to it"
    end = parse_qs(token.lstrip("?")).get("se", [""])[0]
    if not end:
        what = "its shared access signature does not say when it ends: the account does"
        return Finding("token", "good", what, about=site)
    try:
        ends = datetime.fromisoformat(end)
    except ValueError:
        what = "the end of its shared access signature cannot be read"
        why = f"the field `se` in {where} is no time"
        return Finding("token", "bad", what, why=why, hint=hint, about=site)
    left = (ends if ends.tzinfo else ends.replace(tzinfo=UTC)).timestamp() - now
    if left <= 0:
        what = f"its shared access signature ended {duration(left)} ago"
        return Finding("token", "bad", what, why=f"{where}: se={end}", hint=hint, about=site)
    what = f"its shared access signature ends in {duration(left)}"
    if left < SOON:
        return Finding("token", "warning", what, why=f"{where}: se={end}", hint=hint, about=site)
    return Finding("token", "good", what, about=site)


def examine_key(path: Path, now: float) -> Finding:
    """The file of the site's own key: who can read it, and how old it is."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Finding(
            "key",
            "bad",
            "this site's key is not there",
            why=f"no file {path}",
            hint="put it back from where you keep it; a new key would be a new writer",
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        what, why = "others on this machine can use this site's key", f"its mode is {mode:04o}"
        return Finding("key", "bad", what, why=why, hint=f"chmod 600 {path}")
    age = now - found.st_mtime
    what = f"the site's key is {duration(max(age, 0.0))} old, and its owner's alone"
    if age > OLD_KEY:
        why = "who copied it in all that time can sign as this site"
        return Finding("key", "warning", what, why=why, hint="freehold sites rekey")
    return Finding("key", "good", what)
