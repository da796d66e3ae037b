"""The service behind a store's endpoint: whether its certificate holds, and what time it tells."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from freehold.app.addresses import is_loopback
from freehold.app.site.health.clocks import NTP, Skew, standing_of, told
from freehold.app.site.health.finding import Finding, duration
from freehold.domain.errors import Unreachable
from freehold.ports.clock import Clock

SOON = 14 * 86_400
"""Seconds before the end of a certificate at which it is told."""
_RESOLUTION = 1_000_000
"""Microseconds that an HTTP date leaves open."""


@dataclass(frozen=True)
class Greeting:
    """What an endpoint says before it is asked for anything."""

    before: int
    """Own clock when it was asked, microseconds since 1970 UTC."""
    after: int
    date: int | None
    """Its own clock, cut to seconds; None if it does not tell."""
    ends: float | None
    """End of its certificate, seconds since 1970 UTC; None without TLS."""


def examine_endpoint(site: str, endpoint: str, clock: Clock, timeout: float) -> list[Finding]:
    """Nothing for a store without one. That it does not answer at all is said where the store is
    asked, not here."""
    parts = urlsplit(endpoint)
    if not parts.hostname:
        return []
    findings = list(_plain(site, parts))
    try:
        found = greet(parts, clock, timeout)
    except ssl.SSLCertVerificationError as error:
        return [*findings, _not_verified(site, parts, error)]
    except (OSError, HTTPException):
        return findings
    if found.ends is not None:
        findings.append(_certificate(site, parts, found.ends - found.after / 1e6))
    if found.date is not None:
        findings.append(_clock(site, found.before, found.after, found.date))
    return findings


def knock(endpoint: str, site: str, timeout: float) -> None:
    """Raises Unreachable `doctor.no-answer` if nobody opens at the store's address. A store that is
    reached through a proxy is not knocked at: only its own client knows the way."""
    parts = urlsplit(endpoint)
    if not parts.hostname or set(getproxies()) - {"no"}:
        return
    port = parts.port or {"http": 80}.get(parts.scheme, 443)
    try:
        socket.create_connection((parts.hostname, port), timeout).close()
    except OSError as error:
        raise Unreachable(
            f"nobody answers at {parts.hostname}:{port}, where the store of {site} should be",
            why=str(error),
            hint="start the store, or mend the network or the `endpoint` in freehold.yaml; what is"
            " done here is kept meanwhile",
            code="doctor.no-answer",
        ) from error


def greet(parts: SplitResult, clock: Clock, timeout: float) -> Greeting:
    """Raises SSLCertVerificationError, OSError, HTTPException."""
    host, port = parts.hostname or "", parts.port
    connection: HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = HTTPSConnection(host, port, timeout=timeout, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.connect()
        ends = None
        if isinstance(connection.sock, ssl.SSLSocket):
            ends = _end_of(connection.sock)
        before = clock()
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        return Greeting(before, clock(), _date(answer.getheader("Date")), ends)
    finally:
        connection.close()


def _end_of(connection: ssl.SSLSocket) -> float | None:
    end = (connection.getpeercert() or {}).get("notAfter")
    return float(ssl.cert_time_to_seconds(end)) if isinstance(end, str) else None


def _date(text: str | None) -> int | None:
    try:
        return int(parsedate_to_datetime(text or "").timestamp() * 1e6)
    except ValueError:
        return None


def _plain(site: str, parts: SplitResult) -> Iterator[Finding]:
    if parts.scheme != "http" or is_loopback(parts.hostname or ""):
        return
    yield Finding(
        "tls",
        "warning",
        f"what is sent to {parts.hostname} can be read and changed on the way",
        why=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]} has no TLS",
        hint="name its https address instead, and let it have a certificate",
        about=site,
    )


def _not_verified(site: str, parts: SplitResult, error: ssl.SSLCertVerificationError) -> Finding:
    return Finding(
        "tls",
        "bad",
        f"the certificate of {parts.hostname} is not to be trusted",
        why=error.verify_message or str(error),
        hint="if it is your own authority's, set SSL_CERT_FILE to a file with its certificate; if"
        " it has ended, renew it on that server",
        about=site,
    )


def _certificate(site: str, parts: SplitResult, left: float) -> Finding:
    what = f"the certificate of {parts.hostname} ends in {duration(left)}"
    if left < SOON:
        hint = "renew it on that server now: after that day nobody reaches this store"
        return Finding("tls", "warning", what, hint=hint, about=site)
    return Finding("tls", "good", what, about=site)


def _clock(site: str, before: int, after: int, date: int) -> Finding:
    # It read its clock after it was asked and before it had answered.
    skew = Skew((date - after) / 1e6, (date + _RESOLUTION - before) / 1e6)
    standing = standing_of(skew.certain)
    what = f"its store's clock against this machine's: {told(skew)}"
    hint = "" if standing == "good" else f"set this machine's clock: {NTP}"
    return Finding(
        "clock", standing, what, why="by the date it answers with", hint=hint, about=site
    )
